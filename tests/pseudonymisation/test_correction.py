"""A corrected value reaches every purpose, and the old one is found nowhere afterwards, not even among deleted bytes."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from pseudonymisation.compaction import compact_if_due
from pseudonymisation.correction import PurposeStanding, corrections_standing
from pseudonymisation.registries.answers import save_answers
from pseudonymisation.scan.home import scan_home
from pseudonymisation.scan.identifiers import identifiers_of
from pseudonymisation.session import prepare_session
from tests.pseudonymisation.conftest import account, account_id
from tests.pseudonymisation.erasure.conftest import Town, postgres, town
from tests.pseudonymisation.registries.test_validity import made_up

__all__ = ["postgres", "town"]

CHANGED = datetime(2026, 11, 14, tzinfo=UTC)
OLD: dict[str, Any] = {
    "full_name": "Gammelt Etternavnsen",
    "email": "gammel.adresse@example.no",
    "phone": "+47 411 22 333",
    "postal_code": "0150",
    "birth_date": date(2010, 1, 1),
}
NEW: dict[str, Any] = {
    "full_name": "Nytt Etternavnsen",
    "email": "ny.adresse@example.no",
    "phone": "+47 999 88 777",
    "postal_code": "5003",
    "birth_date": date(1980, 1, 1),
}
OLD_FIRM, NEW_FIRM = "Gammelt Firmanavn AS", "Nytt Firmanavn AS"


def profile(name: str) -> dict[str, Any]:
    return {
        "account_id": account_id(1),
        "display_name": name,
        "skills": [],
        "vat_registered": False,
        "updated_at": CHANGED,
    }


def correct_in_app(town: Town) -> None:
    changes = ", ".join(f"{name} = %s" for name in NEW)
    town.sql(f"update app.account set {changes} where account_id = %s", [*NEW.values(), account_id(1)])
    town.sql("update app.provider_profile set display_name = %s", [NEW_FIRM])


def standing(town: Town) -> dict[str, PurposeStanding]:
    workspace, policy = town.market.workspace, town.market.policy
    return {one.purpose: one for one in corrections_standing(workspace, policy, town.dsn, account_id(1))}


def files_with(town: Town, *values: str) -> set[str]:
    """The files under LEII_HOME in which one of these stands, decoded or as bytes, in a row or where one was deleted."""
    report = scan_home(town.market.workspace, identifiers_of(values))
    assert not report.unread
    return {finding.file for finding in report.findings}


def files_with_deleted_rows(town: Town) -> set[str]:
    return {one.file for one in scan_home(town.market.workspace, identifiers_of([OLD["email"]])).uncompacted}


@pytest.mark.slow
def test_a_corrected_value_reaches_every_purpose_and_the_old_one_is_nowhere(town: Town) -> None:
    town.put("account", account(1, **OLD))
    town.put("provider_profile", profile(OLD_FIRM))
    town.market.load()
    town.publish()
    before = town.market.rows("fraud", "app_db__account")[0]
    old = [OLD["full_name"], OLD["email"], OLD_FIRM, str(before["email"]), str(before["phone"])]
    assert all(one.is_right for one in standing(town).values())

    correct_in_app(town)
    assert {purpose: one.stale for purpose, one in standing(town).items()} == {
        "matching": 1,
        "fraud": 1,
        "market_trends": 1,
        "accounting": 1,
    }
    town.market.land("account", account(1, **NEW))
    town.market.land("provider_profile", profile(NEW_FIRM))
    town.market.load()
    assert "warehouse/accounting.duckdb" in files_with(town, *old), "DuckDB keeps the old bytes"
    warehouses = {f"warehouse/{purpose}.duckdb" for purpose in town.market.policy.purposes}
    assert warehouses & files_with_deleted_rows(town)
    assert not any(one.is_right or one.is_purged for one in standing(town).values())

    assert all(compact_if_due(town.market.workspace, purpose) for purpose in town.market.policy.purposes)
    assert not any(one.is_right for one in standing(town).values()), "the copies are still the old ones"
    town.publish()
    assert all(one.is_right for one in standing(town).values())
    assert files_with(town, *old) == set()
    assert not warehouses & files_with_deleted_rows(town)
    assert files_with(town, NEW_FIRM) == {"warehouse/accounting.duckdb", "published/accounting/1.duckdb"}
    after = town.market.rows("fraud", "app_db__account")[0]
    assert not [name for name in ("email", "phone", "municipality", "is_of_age") if after[name] == before[name]]


def test_what_is_landed_again_unchanged_or_only_touched_needs_no_new_file(town: Town) -> None:
    town.people(1, 2)
    town.market.load()
    inode = town.market.workspace.home.warehouse_file("fraud").stat().st_ino
    town.market.land("account", account(1), account(2, updated_at=datetime(2026, 11, 1, tzinfo=UTC)))
    town.market.load()
    assert not compact_if_due(town.market.workspace, "fraud")
    assert town.market.workspace.home.warehouse_file("fraud").stat().st_ino == inode


def test_a_deleted_row_makes_the_file_due_and_a_second_time_finds_nothing_to_do(town: Town) -> None:
    town.people(1, 2)
    town.market.load()
    town.market.land("account", {"account_id": account_id(1)}, kind="keys")
    town.market.load()
    assert compact_if_due(town.market.workspace, "matching")
    assert not compact_if_due(town.market.workspace, "matching")


def test_an_answer_of_the_register_that_has_aged_is_no_correction_that_waits(town: Town) -> None:
    """Nobody renews it: the register is asked no more, or has been down for a month."""
    number = made_up("org_number", 1)[0]
    town.put("account", account(1, is_provider=True))
    town.put("provider_profile", {**profile(NEW_FIRM), "org_number": number})
    workspace = town.market.workspace
    with workspace.connect() as con:
        prepare_session(con, workspace)
        save_answers(
            con,
            workspace,
            f"SELECT alias_hash('account', '{account_id(1)}') AS account_hash, organisation_key('{number}') AS org_key, "
            f"organisation_name_key('{number}', '{NEW_FIRM}') AS name_key, 'valid' AS outcome, FALSE AS is_deregistered, "
            "FALSE AS is_bankrupt, FALSE AS is_winding_up, TRUE AS name_agrees, "
            f"'{workspace.now.isoformat()}'::TIMESTAMPTZ AS asked_at",
        )
    town.market.load()
    [row] = town.market.rows("fraud", "app_db__provider_profile")
    assert (row["organisation_registration"], row["name_is_as_registered"]) == ("valid", True)
    town.later(days=31)
    assert standing(town)["fraud"].stale == 0
    town.sql("update app.provider_profile set org_number = %s", [made_up("org_number", 2)[1]])
    assert standing(town)["fraud"].stale == 1
