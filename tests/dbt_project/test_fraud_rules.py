"""Each fraud rule on rows made by hand: who is hit, with which value, and nobody else."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from tests.dbt_project.documented import problems, undescribed
from tests.dbt_project.fraud_cases import CASES, EXPECTED, put_model_in_use
from tests.dbt_project.market_by_hand import Market, Uid
from tests.dbt_project.purpose_project import BuildResult, PurposeProject

pytestmark = pytest.mark.slow

Build = tuple[PurposeProject, BuildResult, dict[UUID, str]]


@pytest.fixture(scope="module")
def build(new_purpose: Callable[[str], PurposeProject], uid: Uid) -> Build:
    market = Market(uid)
    for case in CASES:
        case(market)
    project = new_purpose("fraud")
    market.insert(project)
    put_model_in_use(project)
    result = project.build()
    assert result.succeeded, result.output
    return project, result, {uid(name): name for name in market.accounts}


@pytest.fixture(scope="module")
def hits(build: Build) -> dict[str, list[dict[str, Any]]]:
    project, _, names = build
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in project.query("SELECT * FROM marts.fct_rule_hit WHERE NOT is_retracted"):
        found[row["rule_code"]].append({**row, "who": names[row["account_id"]]})
    return found


def test_evidence_that_was_taken_back_is_a_hit_apart(
    build: Build,
) -> None:
    project, _, names = build
    taken_back = project.query("SELECT rule_code, account_id FROM marts.fct_rule_hit WHERE is_retracted")
    assert {(row["rule_code"], names[row["account_id"]]) for row in taken_back} == {
        ("PAY04", "cleared payer"),
        ("ID03", "friend of forgiven"),
    }


@pytest.mark.parametrize(("rule", "who"), list(EXPECTED.items()), ids=list(EXPECTED))
def test_rule_hits_its_case_and_nobody_who_looks_like_it(
    hits: dict[str, list[dict[str, Any]]], rule: str, who: set[str]
) -> None:
    assert {hit["who"] for hit in hits[rule]} == who


def test_every_rule_has_a_case_here(build: Build) -> None:
    project, _, _ = build
    assert {row["rule_code"] for row in project.query("SELECT rule_code FROM marts.dim_rule")} == set(EXPECTED)


def test_every_rule_has_a_unit_test_that_was_run(build: Build) -> None:
    _, result, _ = build
    tested = {name.split(".")[0] for name, status in result.statuses.items() if "." in name and status == "pass"}
    assert {f"int_rule_{rule.lower()}" for rule in EXPECTED} <= tested


@pytest.mark.parametrize(
    ("rule", "who", "value"),
    [
        ("ATO01", "guessed at", 5),
        ("ATO02", "visited from abroad", 3),
        ("ATO03", "robbed provider", 12),
        ("DEV02", "twenty-five networks", 25),
        ("ID02", "card a", 3),
        ("COL01", "own customer", 1),
        ("COL02", "concentrated provider", 0.83),
        ("COL03", "instant provider", 20),
        ("REV02", "suddenly praised", 5),
        ("CHT01", "poacher", 3),
        ("CHT02", "advertiser", 10),
        ("PAY02", "farm c", 3),
        ("PAY03", "carder", 3),
        ("PAY05", "spender", 10),
        ("PAY06", "paid by fraud", 1),
        ("PRO01", "bonus a", 2),
        ("REG01", "false company", 4),
        ("HAR01", "harasser", 2),
        ("NEW01", "impatient", 12),
    ],
)
def test_value_of_a_hit_is_what_the_rule_counts(
    hits: dict[str, list[dict[str, Any]]], rule: str, who: str, value: float
) -> None:
    assert max(hit["value"] for hit in hits[rule] if hit["who"] == who) == pytest.approx(value)


def test_hits_about_two_name_the_other_in_a_column_of_its_own(hits: dict[str, list[dict[str, Any]]], uid: Uid) -> None:
    found = {(hit["who"], hit["counterpart_id"]) for hit in hits["COL01"]}
    assert found == {("own customer", uid("own provider")), ("own provider", uid("own customer"))}


def test_build_is_clean_and_the_models_are_described(
    build: Build,
) -> None:
    project, result, _ = build
    assert result.failed() == []
    more_subjects = (
        "counterpart_id",
        "cluster_id",
        "author_id",
        "sender_id",
        "recipient_id",
        "about_account_id",
        "flag_id",
    )
    found = problems(project.manifest(), project.policy, "fraud")
    assert [p for p in found if not ("names a person" in p and p.split(":")[0].endswith(more_subjects))] == []
    assert undescribed(project) == []
