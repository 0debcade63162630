"""The metrics' YAML files, one a purpose, read and refused if they are not whole."""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from pseudonymisation.policy.model import Policy
from pseudonymisation.policy.reading import load_policy
from pseudonymisation.policy.shapes import Strict, validated
from storage import LeiiError

People = Literal["customers", "providers"]
Unit = Literal["number", "share", "ratio", "minutes", "NOK"]


class MetricError(LeiiError):
    """A metric or a dimension that there is none of, or files that are not whole."""


class Label(Strict):
    nb: str = Field(min_length=1)
    en: str = Field(min_length=1)


class Mart(Strict):
    """A table of the published copy that metrics are computed on.

    `dimensions`: what it may be cut by, name -> SQL over its columns. `rows`: the rows that count, if not all. `totals`: a
    dimension -> the SQL that is true of the rows that stand for all of its values. `counts`: SQL for how many different
    people are behind a cell, or a lower bound of it; `counted_in`: the mart that tells instead. `is_suppressed`: cells that
    are too small are withheld in the mart itself.
    """

    dimensions: dict[str, str]
    rows: str = "TRUE"
    totals: dict[str, str] = Field(default_factory=dict)
    counts: dict[People, str] = Field(default_factory=dict)
    counted_in: dict[People, str] = Field(default_factory=dict)
    is_suppressed: bool = False


class Metric(Strict):
    """One figure. `sql` is an aggregate over the mart's columns; `about`: the people whose number limits what is shown."""

    label: Label
    formula: str = Field(min_length=5)
    sql: str = Field(min_length=5)
    mart: str
    rows: str = "TRUE"
    always_by: list[str] = Field(default_factory=list)
    about: list[People] = Field(default_factory=list)
    withheld_when: str | None = None
    unit: Unit
    source: str = Field(min_length=5)


class PurposeMetrics(Strict):
    """All metrics of one purpose, by name, and the marts that they are computed on.

    `names`: a dimension -> a SELECT of its values and what each is called.
    """

    names: dict[str, str] = Field(default_factory=dict)
    marts: dict[str, Mart]
    metrics: dict[str, Metric]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        faults = [fault for name, metric in self.metrics.items() for fault in self._faults_of(name, metric)]
        for name, mart in self.marts.items():
            faults += [
                f"{name}: {other} does not tell how many {people} there are"
                for people, other in mart.counted_in.items()
                if other not in self.marts or people not in self.marts[other].counts
            ]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _faults_of(self, name: str, metric: Metric) -> list[str]:
        mart = self.marts.get(metric.mart)
        if mart is None:
            return [f"{name}: {metric.mart} is not among the marts"]
        faults = [
            f"{name}: no dimension {one} in {metric.mart}" for one in metric.always_by if one not in mart.dimensions
        ]
        if mart.is_suppressed != (metric.withheld_when is not None):
            faults.append(f"{name}: withheld_when belongs to marts that are suppressed, and to each metric of them")
        uncounted = [one for one in metric.about if one not in mart.counts and one not in mart.counted_in]
        return [*faults, *(f"{name}: {metric.mart} does not tell how many {one} there are" for one in uncounted)]


@cache
def load_metrics() -> Mapping[str, PurposeMetrics]:
    """Every purpose's metrics. Raises MetricError with each fault.

    A metric of a purpose with disclosure limits has to say whose number limits it, unless its mart is suppressed itself.
    """
    folder = Path(str(files("publishing.metrics")))
    problems: list[str] = []
    found: dict[str, PurposeMetrics] = {}
    for path in sorted(folder.glob("*.yml")):
        content = validated(path, PurposeMetrics, problems)
        if content is not None:
            found[path.stem] = content
    problems += faults_of(found, load_policy())
    if problems:
        raise MetricError("the metrics are refused:\n" + "\n".join(f"- {problem}" for problem in problems))
    return found


def metric_sql(purpose: str) -> Mapping[str, str]:
    """The purpose's metrics as SQL, by name: aggregates over the columns of their marts, for a SELECT on one of them."""
    return {name: metric.sql for name, metric in load_metrics()[purpose].metrics.items()}


def find_metric(name: str) -> tuple[str, Metric]:
    """The purpose and the metric of this name. Raises MetricError, with the names most like it."""
    known = {one: purpose for purpose, content in load_metrics().items() for one in content.metrics}
    if name not in known:
        near = get_close_matches(name, known, n=3)
        advice = f"did you mean {' or '.join(near)}?" if near else "`leii metrics` lists them"
        raise MetricError(f"no metric {name!r}: {advice}")
    return known[name], load_metrics()[known[name]].metrics[name]


def faults_of(found: Mapping[str, PurposeMetrics], policy: Policy) -> list[str]:
    """A sentence for each name that is given twice, and each metric that the policy's limits would not reach."""
    faults: list[str] = []
    owners: dict[str, str] = {}
    for purpose, content in found.items():
        if purpose not in policy.purposes:
            faults.append(f"{purpose}.yml: no purpose of the policy")
            continue
        limits = policy.purposes[purpose]
        is_limited = max(limits.min_customers, limits.min_providers) > 1
        for name, metric in content.metrics.items():
            if owners.setdefault(name, purpose) != purpose:
                faults.append(f"{purpose}.yml: {name} is a metric of {owners[name]} already")
            if is_limited and not metric.about and not content.marts[metric.mart].is_suppressed:
                faults.append(f"{purpose}.yml: {name} does not say whose number limits it (about)")
    return faults
