"""The model's features know nothing of the future, and dbt scores as the scorecard says, unless it is switched off."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from learning.fraud.scorecard import Scorecard, Shape, contributions, probability
from learning.fraud.store import NO_FEATURE, PURPOSE, feature_names, prepare_models, save_model
from pseudonymisation.loading import open_purpose
from tests.dbt_project.purpose_project import NOW, BuildResult, PurposeProject

pytestmark = pytest.mark.slow

LATER = NOW + timedelta(days=20)
SELECTED = ["+fct_transaction_score", "+int_rule_mod01", "dim_fraud_model"]
CARD = Scorecard(
    intercept=-2.0,
    shapes={
        "amount_ratio": Shape(edges=(0.5, 1.5, 3.0), points=(-1.0, -0.2, 0.4, 2.5), missing=0.1),
        "provider_risk_30d": Shape(edges=(0.05,), points=(-0.3, 3.0), missing=0.0),
        "customer_declines_1d": Shape(edges=(1.0,), points=(0.0, 1.0), missing=0.0),
    },
)

PAYMENTS = """
    SELECT n, CAST(printf('%08x-0000-4000-8000-%012x', {kind}, n) AS UUID) AS id,
        CAST(printf('00000004-0000-4000-8000-%012x', n // 2 % 17) AS UUID) AS customer,
        CAST(printf('00000005-0000-4000-8000-%012x', hash(n) % 11) AS UUID) AS provider,
        100 + hash(n + 1) % 2000 AS price, TIMESTAMPTZ '{now}' + to_minutes(CAST({minutes} AS BIGINT)) AS made_at,
        hash(n + 2) % 9 = 0 AND n % 7 <> 0 AS is_fraud, n % 7 = 0 AS is_declined,
        to_hours(CAST(24 + hash(n + 3) % 300 AS BIGINT)) AS takes
    FROM range({first}, {end}) AS payment (n)
"""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One market, built at `NOW` with a model, then three weeks later, when more has happened, with the model off."""

    first: BuildResult
    later: BuildResult
    features: Mapping[str, dict[str, Any]]
    features_later: Mapping[str, dict[str, Any]]
    names: list[str]
    macro_names: list[str]
    scores: list[dict[str, Any]]
    scores_later: list[dict[str, Any]]
    hits: list[dict[str, Any]]
    models: list[dict[str, Any]]


@pytest.fixture(scope="module")
def scored(new_purpose: Callable[[str], PurposeProject]) -> Scored:
    project = new_purpose(PURPOSE)
    pay(project, 0, 400, f"-{60 * 1440} + n * 215", until=NOW.isoformat())
    about = {"payments_to": NOW, "payments": 1, "frauds": 1, "average_precision": 0.5}
    with project.workspace.connect() as con, open_purpose(con, project.workspace, PURPOSE):
        save_model(con, CARD, is_taken=True, now=NOW, about=about)
    first = project.build(select=SELECTED)
    assert first.succeeded, first.output
    features, scores = by_id(project), project.query("SELECT * FROM marts.fct_transaction_score")
    hits = project.query(project.compiled("int_rule_mod01").replace('"warehouse".', ""))
    with project.workspace.connect() as con, open_purpose(con, project.workspace, PURPOSE):
        names = feature_names(con)
    models = project.query("SELECT * FROM marts.dim_fraud_model")
    pay(project, 400, 560, "(n - 400) * 150 + 30", until=LATER.isoformat())
    report(project, LATER.isoformat())
    prepare_models(replace(project.workspace, now=LATER), is_on=False)
    later = project.build(select=SELECTED, now=LATER)
    assert later.succeeded, later.output
    scoring = project.compiled("fct_transaction_score")
    return Scored(
        first=first,
        later=later,
        features=features,
        features_later=by_id(project),
        names=names,
        macro_names=[line.split("'")[1] for line in scoring.splitlines() if line.strip().endswith("' as feature,")],
        scores=scores,
        scores_later=project.query("SELECT * FROM marts.fct_transaction_score"),
        hits=hits,
        models=models,
    )


def pay(project: PurposeProject, first: int, end: int, minutes: str, *, until: str) -> None:
    """Bookings, their charges, and the disputes that have been raised until then."""

    def rows(kind: int) -> str:
        return PAYMENTS.format(kind=kind, now=NOW.isoformat(), minutes=minutes, first=first, end=end)

    project.execute(
        f"INSERT INTO src.app_db__booking (booking_id, customer_id, provider_id, status, price_nok, booked_at, _batch_id, _row_key) "
        f"SELECT id, customer, provider, 'completed', price, made_at, 1, id FROM ({rows(1)})",
        f"INSERT INTO src.stripe__charge (charge_id, booking_id, customer_id, provider_id, status, created_at, _batch_id, _row_key) "
        f"SELECT id, CAST(replace(CAST(id AS VARCHAR), '00000002-', '00000001-') AS UUID), customer, provider, "
        f"CASE WHEN is_declined THEN 'failed' ELSE 'succeeded' END, made_at, 1, id FROM ({rows(2)})",
        f"CREATE OR REPLACE TABLE src._waiting AS SELECT * FROM ({rows(2)}) WHERE is_fraud "
        + (f"UNION ALL SELECT * FROM ({PAYMENTS.format(kind=2, now=NOW.isoformat(), minutes=f'-{60 * 1440} + n * 215', first=0, end=400)}) "
           "WHERE is_fraud" if first else ""),
    )  # fmt: skip
    report(project, until)


def report(project: PurposeProject, until: str) -> None:
    project.execute(
        "DELETE FROM src.stripe__dispute",
        f"INSERT INTO src.stripe__dispute (dispute_id, charge_id, reason, status, created_at, _batch_id, _row_key) "
        f"SELECT CAST(replace(CAST(id AS VARCHAR), '00000002-', '00000003-') AS UUID), id, 'fraudulent', 'lost', made_at + takes, 1, id "
        f"FROM src._waiting WHERE made_at + takes <= TIMESTAMPTZ '{until}'",
    )


def by_id(project: PurposeProject) -> dict[str, dict[str, Any]]:
    return {
        str(row["transaction_id"]): row for row in project.query("SELECT * FROM intermediate.int_transaction_feature")
    }


def test_every_model_builds_and_passes_its_tests(scored: Scored) -> None:
    assert scored.first.failed() == []
    assert scored.later.failed() == []
    assert any(name.startswith("int_provider_exposure.risk_is") for name in scored.first.statuses)


def test_what_happens_later_changes_no_earlier_payments_features(scored: Scored) -> None:
    later = scored.features_later
    assert len(later) > len(scored.features) > 300
    learnt_since = 0
    for transaction, before in scored.features.items():
        assert {name: later[transaction][name] for name in scored.names} == {
            name: before[name] for name in scored.names
        }
        learnt_since += before["known_second"] != later[transaction]["known_second"]
    assert learnt_since > 0


def test_the_features_tell_payments_apart(scored: Scored) -> None:
    rows = list(scored.features.values())
    telling = {name for name in scored.names if len({row[name] for row in rows}) > 1}
    of_other_sources = {"risk_score", "customer_age_days", "provider_age_days"}
    assert telling == set(scored.names) - of_other_sources


def test_a_report_counts_from_the_second_at_which_it_is_known(scored: Scored) -> None:
    for row in scored.features.values():
        known = [
            other for other in scored.features.values()
            if other["provider_id"] == row["provider_id"] and other["known_second"] is not None
            and row["at_second"] - 30 * 86_400 <= other["known_second"] <= row["at_second"]
        ]  # fmt: skip
        assert row["provider_reports_30d"] == len(known)


def test_the_scorecard_may_use_each_feature_and_nothing_else(scored: Scored) -> None:
    assert sorted(scored.macro_names) == sorted(scored.names)
    assert not set(NO_FEATURE) & set(scored.names)


def test_dbt_scores_as_the_scorecard_does(scored: Scored) -> None:
    assert len(scored.scores) == len(scored.features)
    rows = [scored.features[str(score["transaction_id"])] for score in scored.scores]
    features = {
        name: np.array([np.nan if row[name] is None else float(row[name]) for row in rows]) for name in CARD.shapes
    }
    assert np.allclose([score["score"] for score in scored.scores], probability(CARD, features))
    parts = contributions(CARD, features)
    for place, score in enumerate(scored.scores):
        expected = sorted(
            ((round(float(parts[name][place]), 3), name) for name in parts), key=lambda one: (-one[0], one[1])
        )
        assert [(one["points"], one["feature"]) for one in json.loads(score["reasons"])] == [
            one for one in expected if one[0] > 0
        ]


def test_a_payment_that_is_probably_fraud_is_a_hit_about_who_paid(scored: Scored) -> None:
    graver: dict[Any, float] = {}
    for score in scored.scores:
        payer = scored.features[str(score["transaction_id"])]["customer_id"]
        graver[payer] = max(graver.get(payer, 0), score["score"])
    assert 0 < len([score for score in scored.scores if score["score"] >= 0.5]) < len(scored.scores)
    assert {hit["account_id"]: hit["value"] for hit in scored.hits} == {
        payer: pytest.approx(score, abs=0.0005) for payer, score in graver.items() if score >= 0.5
    }


def test_the_model_says_how_it_was_judged(scored: Scored) -> None:
    (model,) = scored.models
    assert (model["state"], model["is_switched_on"], model["average_precision"]) == ("in_use", True, 0.5)


def test_switched_off_it_scores_nothing(scored: Scored) -> None:
    assert scored.scores_later == []
