"""Runs the whole: settings, the stages as plain functions, Dagster's definitions of them, the command `leii`."""
