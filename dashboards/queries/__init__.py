"""What the pages ask of a published copy. Functions of a reader and filters that give a Polars frame; no layout.

A figure that is a metric takes its SQL from publishing/metrics.
"""

from collections.abc import Mapping


def figures(metrics: Mapping[str, str], *names: str) -> str:
    """Each metric's SQL under the metric's own name."""
    return ", ".join(f"{metrics[name]} AS {name}" for name in names)
