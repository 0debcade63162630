"""Notebooks, one folder a purpose, each on its purpose's published copy and nothing else."""
