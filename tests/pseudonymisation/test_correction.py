"""A corrected value reaches every purpose, and the old one is in no row and no statistic of any file afterwards."""

from datetime import UTC, date, datetime
from typing import Any

from pseudonymisation.compaction import compact_if_due
from pseudonymisation.correction import PurposeStanding, corrections_standing
from storage import attached
from tests.pseudonymisation.conftest import account, account_id
from tests.pseudonymisation.erasure.conftest import Town, postgres, town

__all__ = ["postgres", "town"]

BEFORE: dict[str, Any] = {"postal_code": "0150", "birth_date": date(2010, 1, 1)}
AFTER: dict[str, Any] = {
    "full_name": "Nytt Navn",
    "email": "ny@example.no",
    "phone": "+47 999 99 999",
    "postal_code": "5003",
    "birth_date": date(1980, 1, 1),
    "updated_at": datetime(2026, 11, 14, tzinfo=UTC),
}


def correct_in_app(town: Town, number: int) -> None:
    row = account(number, **AFTER)
    changes = ", ".join(f"{name} = %s" for name in row if name != "account_id")
    values = [value for name, value in row.items() if name != "account_id"]
    town.sql(f"update app.account set {changes} where account_id = %s", [*values, account_id(number)])


def standing(town: Town, number: int) -> dict[str, PurposeStanding]:
    workspace, policy = town.market.workspace, town.market.policy
    return {one.purpose: one for one in corrections_standing(workspace, policy, town.dsn, account_id(number))}


def left_in_file(town: Town, purpose: str, value: str) -> bool:
    """Whether a value stands in a row, or in the statistics that DuckDB keeps beside the rows and shows."""
    workspace = town.market.workspace
    key = workspace.keyring.purpose_key(purpose, "warehouse")
    with (
        workspace.connect() as con,
        attached(con, workspace.home.warehouse_file(purpose), "purpose", key, read_only=True),
    ):
        con.execute("USE purpose")
        rows = con.execute("SELECT src.app_db__account::VARCHAR FROM purpose.src.app_db__account").fetchall()
        statistics = con.execute("SELECT stats FROM pragma_storage_info('src.app_db__account')").fetchall()
        con.execute("USE memory")
    return value in repr(rows + statistics)


def test_a_corrected_value_reaches_every_purpose_and_the_old_one_is_gone_from_its_file(town: Town) -> None:
    town.put("account", account(1, **BEFORE))
    town.market.load()
    town.publish()
    old = town.market.rows("fraud", "app_db__account")[0]
    assert all(one.is_right for one in standing(town, 1).values())
    assert left_in_file(town, "fraud", str(old["email"]))

    correct_in_app(town, 1)
    assert {one.stale for purpose, one in standing(town, 1).items() if purpose != "accounting"} == {1}
    town.market.land("account", account(1, **AFTER))
    town.market.load()
    assert not any(one.is_right for purpose, one in standing(town, 1).items() if purpose != "accounting")
    assert not standing(town, 1)["fraud"].is_purged
    assert left_in_file(town, "matching", "OSLO"), "DuckDB keeps it until the file is written anew"
    before = {p: town.market.workspace.home.warehouse_file(p).stat().st_ino for p in town.market.policy.purposes}
    written_anew = {p: compact_if_due(town.market.workspace, p) for p in town.market.policy.purposes}
    assert written_anew == {"matching": True, "fraud": True, "market_trends": True, "accounting": False}
    after = {p: town.market.workspace.home.warehouse_file(p).stat().st_ino for p in town.market.policy.purposes}
    assert {p for p in before if before[p] != after[p]} == {"matching", "fraud", "market_trends"}

    assert not any(one.is_right for purpose, one in standing(town, 1).items() if purpose != "accounting"), "no copy yet"
    town.publish()
    assert all(one.is_right for one in standing(town, 1).values())
    new = town.market.rows("fraud", "app_db__account")[0]
    changed = ("email", "phone", "municipality", "is_of_age")
    assert not [name for name in changed if new[name] == old[name]]
    for purpose in ("matching", "fraud", "market_trends"):
        assert not left_in_file(town, purpose, "OSLO")
        assert left_in_file(town, purpose, "BERGEN")
    assert not left_in_file(town, "fraud", str(old["email"]))


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
