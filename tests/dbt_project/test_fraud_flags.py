"""Flags and clusters through several builds: ids that stay, reasons that go, decisions that are heeded."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.dbt_project.purpose_project import NOW, BuildResult, PurposeProject

pytestmark = pytest.mark.slow

Uid = Callable[[str], UUID]
Tables = Mapping[str, list[tuple[Any, ...]]]
ISSUED = (NOW - timedelta(days=10)).replace(microsecond=0)
WITHOUT_UNIT_TESTS = ("--exclude-resource-type", "unit_test")
PEOPLE = (
    "warned", "cleared", "relapsed", "stale", "chain a", "chain b", "chain c", "alone", "neighbour 1", "neighbour 2",
    "half 1", "half 2", "collector", "customer", "provider", *(f"crowd {n}" for n in range(11)), *(f"circle {n}" for n in range(10)),
)  # fmt: skip


def flag_id(account: UUID) -> str:
    return "flag_" + hashlib.md5(f"{account}:flag".encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Story:
    """A fraud desk's fortnight: a first build, the same again, and one after people left, were cleared and came back."""

    project: PurposeProject
    first: BuildResult
    flags: Mapping[UUID, dict[str, Any]]
    clusters: Mapping[UUID, dict[str, Any]]
    tables: Tables
    tables_again: Tables
    later_flags: Mapping[UUID, dict[str, Any]]
    later_clusters: Mapping[UUID, dict[str, Any]]
    later_hits: list[dict[str, Any]]
    performance: Mapping[str, dict[str, Any]]
    as_of_without_a_clock: list[dict[str, Any]]


@pytest.fixture(scope="module")
def story(new_purpose: Callable[[str], PurposeProject], uid: Uid) -> Story:
    project = new_purpose("fraud")
    open_market(project, uid)
    first = project.build()
    assert first.succeeded, first.output
    flags, clusters, tables = flags_of(project), clusters_of(project), project.tables()
    assert project.build(*WITHOUT_UNIT_TESTS).succeeded
    again = project.tables()
    go_on(project, uid)
    assert project.build(*WITHOUT_UNIT_TESTS).succeeded
    later = flags_of(project), clusters_of(project)
    later_hits = project.query("SELECT * FROM marts.fct_rule_hit")
    performance = {row["rule_code"]: row for row in project.query("SELECT * FROM marts.agg_rule_performance")}
    unclocked = project.build(*WITHOUT_UNIT_TESTS, environment={"LEII_NOW": ""})
    assert unclocked.succeeded, unclocked.output
    return Story(
        project=project, first=first, flags=flags, clusters=clusters, tables=tables, tables_again=again,
        later_flags=later[0], later_clusters=later[1], later_hits=later_hits, performance=performance,
        as_of_without_a_clock=project.query("SELECT * FROM intermediate.int_fraud_clock"),
    )  # fmt: skip


def flags_of(project: PurposeProject) -> dict[UUID, dict[str, Any]]:
    return {row["account_id"]: row for row in project.query("SELECT * FROM marts.fct_flag")}


def clusters_of(project: PurposeProject) -> dict[UUID, dict[str, Any]]:
    return {row["account_id"]: row for row in project.query("SELECT * FROM marts.dim_account_cluster")}


def warn(project: PurposeProject, uid: Uid, name: str, days_ago: float, key: str = "") -> None:
    """A card issuer's warning about a charge of this account: by itself enough for a flag."""
    at = NOW - timedelta(days=days_ago)
    charge = uid(f"charge {name}{key}")
    project.insert(
        "stripe__charge",
        {"charge_id": charge, "customer_id": uid(name), "created_at": at.isoformat(), "status": "succeeded"},
    )
    project.insert(
        "stripe__radar_early_fraud_warning",
        {"early_fraud_warning_id": uid(f"warning {name}{key}"), "charge_id": charge, "created_at": at.isoformat()},
    )


def open_market(project: PurposeProject, uid: Uid) -> None:
    phones = {"chain a": "1", "chain b": "1", "collector": "2"}
    account = {"created_at": "2025-01-01 00:00:00+00", "updated_at": "2026-10-01 00:00:00+00", "status": "active"}
    project.insert(
        "app_db__account",
        *(
            {"account_id": uid(name), **account, "phone": uid(f"phone {phones[name]}") if name in phones else None}
            for name in PEOPLE
        ),
    )
    devices = {"chain b": "q", "chain c": "q", "half 1": "h", "half 2": "h", "customer": "s", "provider": "s"}
    devices |= {f"crowd {n}": "public library" for n in range(11)} | {f"circle {n}": "club" for n in range(10)}
    project.insert(
        "app_db__login",
        *(
            {
                "login_id": uid(f"login {name}"),
                "account_id": uid(name),
                "logged_in_at": "2026-11-01 12:00:00+00",
                "is_success": True,
                "device_id": uid(f"device {devices[name]}") if name in devices else None,
                "network_id": uid("one street") if name.startswith("neighbour") else None,
                "country": "NO",
            }
            for name in (*devices, "neighbour 1", "neighbour 2", "alone")
        ),
    )
    booking = {"customer_id": uid("customer"), "provider_id": uid("provider"), "status": "completed", "price_nok": 1000}
    project.insert(
        "app_db__booking",
        *({"booking_id": uid(f"job {n}"), **booking, "booked_at": f"2026-11-0{n + 1} 10:00:00+00"} for n in range(5)),
    )
    for name in ("warned", "cleared", "relapsed"):
        warn(project, uid, name, 10)
    warn(project, uid, "stale", 100)


def go_on(project: PurposeProject, uid: Uid) -> None:
    """The warning about `warned` is withdrawn, two flags are overturned, `chain b` and the dealing customer are erased."""
    project.execute(
        f"DELETE FROM src.stripe__radar_early_fraud_warning WHERE early_fraud_warning_id = '{uid('warning warned')}'",
        f"DELETE FROM src.app_db__account WHERE account_id IN ('{uid('chain b')}', '{uid('customer')}')",
        f"DELETE FROM src.app_db__login WHERE account_id IN ('{uid('chain b')}', '{uid('customer')}')",
        f"UPDATE src.app_db__booking SET customer_id = NULL WHERE customer_id = '{uid('customer')}'",
    )
    decision = {"decision": "overturned", "decided_at": (NOW - timedelta(days=5)).isoformat(), "is_contested": True}
    project.insert(
        "app_db__fraud_flag_decision",
        {"decision_id": uid("decision 1"), "flag_id": flag_id(uid("cleared")), **decision},
        {"decision_id": uid("decision 2"), "flag_id": flag_id(uid("relapsed")), **decision},
        {
            "decision_id": uid("decision 3"),
            "flag_id": flag_id(uid("stale")),
            "decision": "upheld",
            "decided_at": (NOW - timedelta(days=50)).isoformat(),
        },
    )
    warn(project, uid, "relapsed", 1, key=" again")


def test_flag_has_a_stable_id_and_the_newest_evidence_dates_it(story: Story, uid: Uid) -> None:
    flag = story.flags[uid("warned")]
    assert flag["flag_id"] == flag_id(uid("warned"))
    assert flag["score"] == pytest.approx(0.7)
    assert flag["recommended_action"] == "review"
    assert flag["status"] == "active"
    assert flag["issued_at"] == ISSUED
    assert flag["expires_at"] == ISSUED + timedelta(days=90)


def test_same_sources_give_the_same_marts_again(story: Story) -> None:
    assert story.tables["marts.fct_flag"]
    assert story.tables_again == story.tables


def test_reasons_are_codes_texts_and_numbers_and_name_nobody(story: Story, uid: Uid) -> None:
    assert json.loads(story.flags[uid("customer")]["reasons"]) == [
        {"code": "COL01", "text": "Kunde og tilbyder i samme oppdrag deler identitet (antall kjennetegn)", "value": 1, "threshold": 1},
        {"code": "COL02", "text": "Ett kundeforhold står for størstedelen av tilbyderens omsetning (andel)", "value": 1, "threshold": 0.5},
    ]  # fmt: skip
    long_hexadecimal = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}", re.IGNORECASE)
    for flag in story.flags.values():
        assert not long_hexadecimal.search(flag["reasons"])
        for name in PEOPLE:
            assert str(uid(name)) not in flag["reasons"]


def test_flag_whose_evidence_is_older_than_a_flag_lives_has_expired(story: Story, uid: Uid) -> None:
    assert story.flags[uid("stale")]["status"] == "expired"
    assert story.flags[uid("stale")]["place_in_queue"] is None
    hits = {(hit["rule_code"], hit["account_id"]) for hit in story.later_hits}
    assert ("PAY04", uid("stale")) in hits, "it is still a hit, for the rules' record"


def test_flag_goes_when_its_reason_is_gone(story: Story, uid: Uid) -> None:
    assert uid("warned") in story.flags
    assert uid("warned") not in story.later_flags


def test_overturned_flag_stays_down_until_there_is_newer_evidence(story: Story, uid: Uid) -> None:
    assert {uid("cleared"), uid("relapsed")} <= set(story.flags)
    assert story.later_flags[uid("cleared")]["status"] == "overturned"
    assert story.later_flags[uid("relapsed")]["status"] == "active"
    assert story.later_flags[uid("relapsed")]["flag_id"] == flag_id(uid("relapsed"))
    assert story.later_flags[uid("relapsed")]["issued_at"] == NOW - timedelta(days=1)


def test_cluster_is_the_connected_component_under_its_smallest_account(story: Story, uid: Uid) -> None:
    chain = [uid(f"chain {letter}") for letter in "abc"]
    assert {story.clusters[account]["cluster_id"] for account in chain} == {min(chain)}
    assert {story.clusters[account]["account_count"] for account in chain} == {3}
    halves = [uid("half 1"), uid("half 2")]
    assert {story.clusters[account]["cluster_id"] for account in halves} == {min(halves)}
    assert uid("alone") not in story.clusters
    assert uid("collector") not in story.clusters


def test_value_that_too_many_share_and_a_network_tie_nobody_together(story: Story, uid: Uid) -> None:
    assert not {uid(f"crowd {n}") for n in range(11)} & set(story.clusters), "eleven on one device: over the cap of ten"
    assert {story.clusters[uid(f"circle {n}")]["account_count"] for n in range(10)} == {10}, "ten: within the cap"
    assert uid("neighbour 1") not in story.clusters


def test_cluster_falls_apart_when_the_one_between_is_erased(story: Story, uid: Uid) -> None:
    assert not {uid("chain a"), uid("chain b"), uid("chain c")} & set(story.later_clusters)


def test_erased_account_is_in_no_hit_and_takes_its_counterparts_along(story: Story, uid: Uid) -> None:
    erased = {uid("chain b"), uid("customer")}
    named = {hit[column] for hit in story.later_hits for column in ("account_id", "counterpart_id")}
    assert not named & erased
    assert uid("provider") in story.flags
    assert uid("provider") not in story.later_flags


def test_performance_sets_decisions_against_hits(story: Story) -> None:
    row = story.performance["PAY04"]
    assert (row["account_count"], row["upheld_count"], row["overturned_count"]) == (3, 1, 2)
    assert row["precision_share"] == pytest.approx(1 / 3)
    assert story.performance["ATO01"]["hit_count"] == 0
    assert story.performance["ATO01"]["precision_share"] is None


def test_labels_say_what_was_found_and_when_it_was_known(story: Story, uid: Uid) -> None:
    labels = story.project.query("SELECT * FROM marts.fct_label")
    of_stale = sorted((row["label_source"], row["is_fraud"]) for row in labels if row["account_id"] == uid("stale"))
    assert of_stale == [("decision", True), ("early_fraud_warning", True)]
    of_cleared = sorted((row["label_source"], row["is_fraud"]) for row in labels if row["account_id"] == uid("cleared"))
    assert of_cleared == [("decision", False), ("early_fraud_warning", True)]


def test_without_a_clock_the_newest_time_in_the_sources_is_now(story: Story) -> None:
    assert story.as_of_without_a_clock == [{"as_of": NOW - timedelta(days=1)}]


def test_build_is_clean_and_cheap_in_tests(story: Story) -> None:
    assert story.first.failed() == []
    tests = [name for name in story.first.statuses if "unique" in name or "every_row_holds" in name]
    assert 10 <= len(tests) <= 20
