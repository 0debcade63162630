"""A metric computed on its purpose's published copy, cut only as its definition allows, and withheld where too few people are behind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

import polars as pl

from pseudonymisation.policy.reading import load_policy
from publishing.metrics.reading import Mart, Metric, MetricError, People, PurposeMetrics, find_metric, load_metrics
from publishing.metrics.withholding import ALL, Cell, withheld_cells

MOST_DIMENSIONS = 2
"""Of a figure that can be withheld: what can be worked out of a table with more of them is not looked into."""


class Reads(Protocol):
    """Whatever answers SQL with a frame: a published copy."""

    def query(self, sql: str) -> pl.DataFrame: ...


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A row a cell: its dimensions, `value` (null where withheld), `is_withheld`; of a mart that is suppressed itself also
    `cells` and `withheld_cells`, how many the value is of and how many are missing from it."""

    name: str
    purpose: str
    metric: Metric
    by: tuple[str, ...]
    frame: pl.DataFrame


def allowed_dimensions(name: str, by: Sequence[str]) -> tuple[str, ...]:
    """What a metric is cut by: what was asked for, and what it is always cut by. Raises MetricError for anything else."""
    purpose, metric = find_metric(name)
    mart = load_metrics()[purpose].marts[metric.mart]
    unknown = [one for one in by if one not in mart.dimensions]
    if unknown:
        raise MetricError(f"{name} cannot be cut by {', '.join(unknown)}: it has {', '.join(mart.dimensions)}")
    dimensions = tuple(dict.fromkeys([*metric.always_by, *by]))
    if metric.about and _limit(purpose, metric) > 1 and len(dimensions) > MOST_DIMENSIONS:
        raise MetricError(
            f"{name} is cut by {MOST_DIMENSIONS} dimensions at most, so that what is withheld cannot be worked out"
        )
    return dimensions


def compute(copy: Reads, name: str, by: Sequence[str] = ()) -> Answer:
    """The metric by these dimensions, on a copy of its purpose. Raises MetricError for an unknown name or dimension."""
    purpose, metric = find_metric(name)
    content, dimensions = load_metrics()[purpose], allowed_dimensions(name, by)
    mart = content.marts[metric.mart]
    frame = copy.query(_statement(mart, metric, dimensions))
    if mart.is_suppressed:
        frame = frame.with_columns((pl.col("withheld_cells") == pl.col("cells")).alias("is_withheld"))
    else:
        hidden = _hidden(copy, purpose, content, metric, dimensions)
        cells = [_cell(values) for values in frame.select(dimensions).rows()] if dimensions else [_cell(())]
        frame = frame.with_columns(pl.Series("is_withheld", [cell in hidden for cell in cells], dtype=pl.Boolean))
    frame = frame.with_columns(pl.when(~pl.col("is_withheld")).then("value").alias("value"))
    named = _named(copy, content, frame.sort(dimensions, nulls_last=True) if dimensions else frame)
    return Answer(name=name, purpose=purpose, metric=metric, by=dimensions, frame=named)


def _statement(mart: Mart, metric: Metric, dimensions: Sequence[str]) -> str:
    told = ""
    if metric.withheld_when is not None:
        told = f", count(*) AS cells, count(*) FILTER ({metric.withheld_when}) AS withheld_cells"
    rows = f"({mart.rows}) AND ({metric.rows})"
    return f"SELECT {_keys(mart, dimensions)}{metric.sql} AS value{told} {_of(metric.mart, mart, dimensions, rows)}"


def _keys(mart: Mart, dimensions: Sequence[str]) -> str:
    return "".join(f'{mart.dimensions[one]} AS "{one}", ' for one in dimensions)


def _of(name: str, mart: Mart, dimensions: Sequence[str], rows: str) -> str:
    """The rest of a SELECT: a total over a dimension where it is not cut by it, and its parts where it is."""
    for dimension, is_total in mart.totals.items():
        rows += f" AND {'NOT ' if dimension in dimensions else ''}({is_total})"
    group = ", ".join(mart.dimensions[one] for one in dimensions)
    return f"FROM marts.{name} WHERE {rows} {f'GROUP BY {group}' if group else ''}"


def _hidden(copy: Reads, purpose: str, content: PurposeMetrics, metric: Metric, dimensions: Sequence[str]) -> set[Cell]:
    """The cells withheld for the number of any of the people that the metric is about."""
    hidden: set[Cell] = set()
    for people in metric.about:
        limit = _limit_of(copy, purpose, people)
        if limit > 1:
            hidden |= withheld_cells(_people(copy, content, metric, dimensions, people), limit)
    return hidden


def _people(
    copy: Reads, content: PurposeMetrics, metric: Metric, dimensions: Sequence[str], people: People
) -> dict[Cell, int]:
    """Each cell of the metric and each of its totals -> how many people are behind it; 0 where nobody is known."""
    mart = content.marts[metric.mart]
    counting = mart.counted_in.get(people, metric.mart)
    counter = content.marts[counting]
    missing = [one for one in dimensions if one not in counter.dimensions]
    if missing:
        raise MetricError(f"{metric.mart}: {counting} does not tell {people} by {', '.join(missing)}")
    rows = f"({counter.rows}) AND ({metric.rows if counting == metric.mart else 'TRUE'})"
    found: dict[Cell, int] = {}
    for size in range(len(dimensions) + 1):
        for some in combinations(dimensions, size):
            there = copy.query(_statement(mart, metric, some))
            counted = copy.query(
                f"SELECT {_keys(counter, some)}{counter.counts[people]} AS people {_of(counting, counter, some, rows)}"
            )
            numbers = {row[:-1]: row[-1] or 0 for row in counted.rows()}
            for values in there.select(some).rows() if some else [()]:
                found[_cell([dict(zip(some, values, strict=True)).get(one, ALL) for one in dimensions])] = numbers.get(
                    values, 0
                )
    return found


def _cell(values: Sequence[object]) -> Cell:
    first, second = [*values, ALL, ALL][:2]
    return first, second


def _limit(purpose: str, metric: Metric) -> int:
    limits = load_policy().purposes[purpose]
    return max(
        [1, *({"customers": limits.min_customers, "providers": limits.min_providers}[one] for one in metric.about)]
    )


def _limit_of(copy: Reads, purpose: str, people: People) -> int:
    """The stricter of what the policy says now and what it said when the copy was made."""
    row = copy.query("SELECT min_customers AS customers, min_providers AS providers FROM about").row(0, named=True)
    limits = load_policy().purposes[purpose]
    now: Mapping[People, int] = {"customers": limits.min_customers, "providers": limits.min_providers}
    return max(int(row[people]), now[people])


def _named(copy: Reads, content: PurposeMetrics, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with the names of what is known by a number."""
    for dimension, statement in content.names.items():
        if dimension in frame.columns:
            names = dict(copy.query(statement).rows())
            named = pl.col(dimension).replace_strict(names, default="unknown", return_dtype=pl.String)
            frame = frame.with_columns(named.alias(dimension))
    return frame
