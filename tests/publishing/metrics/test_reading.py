"""The metrics' files are whole, fit the marts, and are the only place where a figure's SQL stands."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml
from pydantic import ValidationError
from sqlglot import expressions

from pseudonymisation.policy.reading import load_policy
from publishing.metrics.computing import compute
from publishing.metrics.reading import MetricError, PurposeMetrics, faults_of, find_metric, load_metrics, metric_sql
from tests.dashboards.hand_made import HandMade

ROOT = Path(__file__).parents[3]
LOOKED_AT = [*(ROOT / "dashboards").rglob("*.py"), *(ROOT / "notebooks").rglob("*.py")]

WHOLE: Mapping[str, Any] = {
    "marts": {"fct_request": {"dimensions": {"category": "category_id"}, "counts": {"customers": "count(DISTINCT customer_id)"}}},
    "metrics": {
        "requests": {
            "label": {"nb": "Forespørsler", "en": "Requests"}, "formula": "requests made", "sql": "count(*)", "mart": "fct_request",
            "about": ["customers"], "unit": "number", "source": "a count",
        }
    },
}  # fmt: skip


def contracts(purpose: str) -> dict[str, dict[str, Mapping[str, Any]]]:
    """The purpose's marts and their columns, as dbt's files describe them."""
    files = (ROOT / "dbt_project" / "models" / purpose / "marts").glob("*.yml")
    models = [model for path in files for model in yaml.safe_load(path.read_text()).get("models") or []]
    return {model["name"]: {column["name"]: column for column in model["columns"]} for model in models}


def empty_copy(purpose: str) -> HandMade:
    """A copy with every mart of the purpose, and no row in it."""
    tables = {
        mart: ", ".join(f"{name} {column['data_type']}" for name, column in columns.items())
        for mart, columns in contracts(purpose).items()
    }
    return HandMade(*(f"CREATE TABLE marts.{mart} ({columns})" for mart, columns in tables.items()))


@pytest.mark.parametrize("purpose", load_metrics())
def test_every_metric_can_be_computed_by_each_of_its_dimensions(purpose: str) -> None:
    copy, content = empty_copy(purpose), load_metrics()[purpose]
    for name, metric in content.metrics.items():
        for by in ([], *([one] for one in content.marts[metric.mart].dimensions)):
            if len({*by, *metric.always_by}) <= 2:
                compute(copy, name, by)
    copy.close()


@pytest.mark.parametrize("purpose", load_metrics())
def test_no_dimension_tells_people_apart(purpose: str) -> None:
    found = contracts(purpose)
    for mart, about in load_metrics()[purpose].marts.items():
        people = {name for name, column in found[mart].items() if _meta(column).get("subject")}
        keys = {name for name in found[mart] if name.endswith("_id")} - {"category_id"}
        for sql in about.dimensions.values():
            columns = {column.name for column in sqlglot.parse_one(sql, read="duckdb").find_all(expressions.Column)}
            assert columns
            assert columns & (people | keys) == set(), (mart, sql)


def test_each_purpose_has_metrics_and_each_name_is_given_once() -> None:
    names = [name for content in load_metrics().values() for name in content.metrics]
    assert len(names) == len(set(names))
    assert set(load_metrics()) == {"matching", "fraud", "market_trends", "accounting"}
    asked_for = {"acceptance_rate", "fill_rate", "time_to_first_response_median", "time_to_first_response_p90", "utilisation",
                 "gmv", "take_rate", "retention", "rule_precision", "rule_overturn_rate", "alert_budget_share"}  # fmt: skip
    assert asked_for <= set(names)


@pytest.mark.parametrize("path", LOOKED_AT, ids=lambda path: path.name)
def test_no_page_and_no_notebook_repeats_a_metrics_sql(path: Path) -> None:
    text = _on_one_line(path.read_text())
    repeated = [
        name
        for content in load_metrics().values()
        for name, metric in content.metrics.items()
        if len(metric.sql) > 25 and _on_one_line(metric.sql) in text
    ]
    assert repeated == []


def test_every_metric_that_a_page_or_notebook_names_is_there() -> None:
    """A notebook's cells run only when it is opened."""
    for path in (ROOT / "notebooks").glob("*/*.py"):
        purpose = path.parent.name
        named = set(re.findall(r"\.metric\[\"(\w+)\"\]", path.read_text()))
        assert named <= set(metric_sql(purpose)), path
        assert named


def test_whole_files_are_read() -> None:
    assert PurposeMetrics.model_validate(WHOLE).metrics["requests"].unit == "number"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"mart": "fct_gone"}, "fct_gone is not among the marts"),
        ({"always_by": ["customer_id"]}, "no dimension customer_id"),
        ({"about": ["providers"]}, "does not tell how many providers"),
        ({"withheld_when": "requests IS NULL"}, "withheld_when belongs to marts that are suppressed"),
        ({"colour": "teal"}, "Extra inputs"),
    ],
)
def test_what_does_not_fit_is_refused(change: Mapping[str, Any], fault: str) -> None:
    metric = {**WHOLE["metrics"]["requests"], **change}
    with pytest.raises(ValidationError, match=fault):
        PurposeMetrics.model_validate({**WHOLE, "metrics": {"requests": metric}})


def test_a_metric_without_a_limit_is_refused_where_the_purpose_has_one() -> None:
    unlimited = {**WHOLE, "metrics": {"requests": {**WHOLE["metrics"]["requests"], "about": []}}}
    content = PurposeMetrics.model_validate(unlimited)
    assert faults_of({"matching": content}, load_policy()) == [
        "matching.yml: requests does not say whose number limits it (about)"
    ]
    assert faults_of({"fraud": content}, load_policy()) == []


def test_an_unknown_name_is_refused_with_those_like_it() -> None:
    with pytest.raises(MetricError, match="no metric 'fil_rate': did you mean fill_rate"):
        find_metric("fil_rate")


def _meta(column: Mapping[str, Any]) -> Mapping[str, Any]:
    meta: Mapping[str, Any] = (column.get("config") or {}).get("meta") or {}
    return meta


def _on_one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)
