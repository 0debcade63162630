"""Dagster's assets, a module a stage. Each calls one step; what they hold is keys, dependencies and metadata."""
