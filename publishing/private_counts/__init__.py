"""Counts of people with noise: how they are counted, drawn, paid for and kept (docs/private-counts.md)."""
