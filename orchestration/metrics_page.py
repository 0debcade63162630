"""`leii metrics`: what there is, and one metric computed on its purpose's published copy."""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.settings import Settings
from publishing.metrics.computing import Answer, allowed_dimensions, compute
from publishing.metrics.reading import find_metric, load_metrics
from publishing.readers import PublishedReader

MOST_ROWS = 200
"""Printed to a person; `--json` gives all."""


def list_metrics() -> list[dict[str, Any]]:
    """What `leii metrics` shows, as plain data: every metric by purpose."""
    return [
        {
            "purpose": purpose,
            "name": name,
            **metric.model_dump(include={"label", "formula", "unit", "source", "mart", "sql", "always_by"}),
            "dimensions": list(content.marts[metric.mart].dimensions),
        }
        for purpose, content in load_metrics().items()
        for name, metric in content.metrics.items()
    ]


def compute_metric(settings: Settings, name: str, by: Sequence[str]) -> Answer:
    """The metric on the copy that its readers have, with no key but theirs. Raises LeiiError for what is not there."""
    dimensions = allowed_dimensions(name, by)
    purpose, _ = find_metric(name)
    reader = PublishedReader(settings.place(), settings.keys().for_readers([purpose]), purpose)
    try:
        return compute(reader, name, dimensions)
    finally:
        reader.close()


def as_json(answer: Answer) -> dict[str, Any]:
    """An answer as plain data; a value that is withheld is null."""
    metric = answer.metric.model_dump(include={"label", "formula", "unit", "source"})
    return {"purpose": answer.purpose, "name": answer.name, **metric, "by": answer.by, "cells": answer.frame.to_dicts()}


def print_metrics(console: Any, found: Sequence[Mapping[str, Any]]) -> None:
    """The list for a person."""
    from rich.table import Table

    for purpose in dict.fromkeys(one["purpose"] for one in found):
        grid = Table(title=purpose, title_justify="left", title_style="bold", box=None, pad_edge=False)
        for name in ("metric", "formula", "unit", "by", "source"):
            grid.add_column(name, overflow="fold")
        for one in (one for one in found if one["purpose"] == purpose):
            dimensions = [f"{name} (always)" if name in one["always_by"] else name for name in one["dimensions"]]
            grid.add_row(one["name"], one["formula"], one["unit"], ", ".join(dimensions), one["source"])
        console.print(grid)
        console.print()
    console.print("`leii metrics NAME --by DIMENSION` computes one on its purpose's published copy")


def print_answer(console: Any, answer: Answer) -> None:
    """An answer for a person: W where it is withheld."""
    from rich.table import Table

    metric = answer.metric
    console.print(f"{metric.label.en} ({metric.label.nb}), {metric.unit}: {metric.formula}")
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for name in (*answer.by, answer.name, *(["cells withheld"] if "cells" in answer.frame.columns else [])):
        grid.add_column(name, no_wrap=True, justify="left" if name in answer.by else "right")
    for row in answer.frame.head(MOST_ROWS).iter_rows(named=True):
        missing = [f"{row['withheld_cells']:,} of {row['cells']:,}"] if "cells" in row else []
        keys = ["-" if row[name] is None else str(row[name]) for name in answer.by]
        grid.add_row(*keys, "W" if row["is_withheld"] else _written(row["value"], metric.unit), *missing)
    console.print(grid)
    withheld = int(answer.frame["is_withheld"].sum())
    if withheld:
        console.print(f"W: {withheld:,} of {answer.frame.height:,} cells are withheld to protect people")
    if answer.frame.height > MOST_ROWS:
        console.print(f"{MOST_ROWS:,} of {answer.frame.height:,} rows; --json gives all of them")


def _written(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return {"share": f"{100 * value:.1f} %", "number": f"{value:,.0f}", "NOK": f"{value:,.2f}"}.get(
        unit, f"{value:,.2f}"
    )
