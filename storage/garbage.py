"""How often Python looks for garbage."""

import gc


def look_for_garbage_seldom() -> None:
    """For a process whose many small objects live as long as it does, as Dagster's and dbt's: to look among them all the time costs
    a tenth of a short run."""
    gc.set_threshold(50_000, 50, 100)
