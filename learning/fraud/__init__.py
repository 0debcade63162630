"""The model beside the fraud rules: how it is fitted, judged, kept and taken into use. Its features are dbt models."""
