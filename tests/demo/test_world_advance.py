"""Playing on: the same world goes on the same way, and stays a valid world."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import psycopg
import pytest

from demo.loading import load_world
from demo.postgres import DemoPostgres, running_postgres
from demo.world.advance import advance
from demo.world.spec import DAY
from demo.world.tables import TABLES, WORLD_TABLES, split_by_commit
from tests.demo.conftest import World, file_bytes, json_lines, make_world
from tests.demo.test_world_planted import erasure_state
from tests.demo.test_world_stripe import OF_THE_APP, mended, payouts_explained

DAYS = 3


@dataclass(frozen=True, kw_only=True)
class Played:
    """A world before and after, and the database that it was played in."""

    before: World
    after: World
    server: DemoPostgres


def flags_by_the_pipeline(world: World, server: DemoPostgres) -> None:
    """Raises a flag on every planted fraud and on as many others."""
    frauds = [row["account_id"] for row in world.truth("fraud")]
    others = [a for a in world.table("account")["account_id"].sort() if a not in frauds][: len(frauds)]
    with psycopg.connect(server.pipeline_dsn) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into app.fraud_flag values (%s, %s, '[]', 0.9, 'review', '1', now(), now(), now(), 'active')",
            [(f"flag-{account}", account) for account in frauds + others],
        )


def play(world: World, folder: Path, server: DemoPostgres, steps: list[int]) -> World:
    shutil.copytree(world.folder, folder)
    load_world(folder, server.admin_dsn)
    flags_by_the_pipeline(world, server)
    for days in steps:
        content = advance(folder, days, server.admin_dsn)
    return World(folder=folder, content=content)


@pytest.fixture(scope="module")
def lively(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Large enough for something of every kind to happen on every day."""
    return make_world(tmp_path_factory.mktemp("lively-world"), accounts=200, bookings=2_000, events=3_000)


@pytest.fixture(scope="module")
def played(lively: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    root = tmp_path_factory.mktemp("played")
    with running_postgres(root / "pg") as server:
        yield Played(before=lively, after=play(lively, root / "world", server, [DAYS]), server=server)


def in_postgres(server: DemoPostgres, table: str) -> list[tuple[object, ...]]:
    columns = [
        f"{name}::float8"
        if kind == "money"
        else f"host({name})"
        if kind == "inet"
        else f"{name}::text"
        if kind == "uuid"
        else name
        for name, kind in TABLES[table].columns.items()
    ]
    with psycopg.connect(server.admin_dsn) as connection:
        return connection.execute(
            f"select {', '.join(columns)} from app.{table} order by {', '.join(TABLES[table].key)}"
        ).fetchall()


def test_the_same_world_goes_on_the_same_way_in_one_go_or_day_by_day(
    lively: World, played: Played, tmp_path: Path
) -> None:
    with running_postgres(tmp_path / "pg") as other:
        again = play(lively, tmp_path / "again", other, [1] * DAYS)
        assert file_bytes(again.folder) == file_bytes(played.after.folder)
        for table in WORLD_TABLES:
            assert in_postgres(other, table) == in_postgres(played.server, table), table


@pytest.mark.parametrize("table", [t for t in WORLD_TABLES if t not in ("survey_response", "account")])
def test_postgresql_holds_what_the_folder_holds(played: Played, table: str) -> None:
    assert in_postgres(played.server, table) == played.after.table(table).rows()


def test_the_clock_has_moved_and_nothing_lies_ahead_of_it(played: Played) -> None:
    assert played.after.now == played.before.now + DAYS * DAY
    for name in WORLD_TABLES:
        if TABLES[name].has_updates:
            assert played.after.table(name)["updated_at"].dt.epoch("s").max() <= played.after.now  # type: ignore[operator]


def test_there_are_new_changed_and_deleted_rows(played: Played) -> None:
    for name in ("account", "booking", "service_request", "message", "login"):
        key = TABLES[name].key[0]
        assert set(played.after.table(name)[key]) - set(played.before.table(name)[key]), name
    for name in ("booking", "service_request", "request_candidate", "privacy_request", "service_offer"):
        keys = list(TABLES[name].key)
        both = played.before.table(name).join(played.after.table(name), on=keys, suffix="_later")
        assert both.filter(pl.col("updated_at") < pl.col("updated_at_later")).height, name
    contact = played.before.table("account").join(played.after.table("account"), on="account_id", suffix="_later")
    assert contact.filter(
        (pl.col("phone") != pl.col("phone_later")) | (pl.col("email") != pl.col("email_later"))
    ).height
    moved = contact.filter(pl.col("updated_at") > pl.col("updated_at_later"))
    assert not moved.height


def test_whoever_vanished_is_gone_from_every_table(played: Played) -> None:
    vanished = [row["account_id"] for row in played.after.truth("vanished")]
    assert len(vanished) == DAYS
    assert vanished[0] in set(played.before.table("booking")["customer_id"])
    for name in WORLD_TABLES:
        frame = played.after.table(name)
        for column, kind in TABLES[name].columns.items():
            if kind == "uuid" and name not in ("privacy_request", "account_ban"):
                assert not set(vanished) & set(frame[column].drop_nulls()), f"{name}.{column}"
    customers = {c["id"]: c for c in played.after.objects("customer")}
    ids = dict(played.before.table("account").select("account_id", "stripe_customer_id").rows())
    gone = [ids[account] for account in vanished if ids.get(account)]
    assert gone
    for customer in gone:
        assert customers[customer] == {"id": customer, "object": "customer", "deleted": True}
    told = {e["data"]["object"]["id"] for e in played.after.objects("event") if e["type"] == "customer.deleted"}
    assert told == set(gone)


def test_keys_of_tables_that_only_grow_grow(played: Played) -> None:
    for name in ("message", "login", "consent", "survey_response"):
        key = TABLES[name].key[0]
        before, after = played.before.table(name), played.after.table(name)
        new = after.join(before, on=key, how="anti")
        assert new.height
        assert new[key].min() > before[key].max()  # type: ignore[operator]


def test_rows_that_have_not_changed_keep_their_updated_at(played: Played) -> None:
    for name in ("booking", "service_request", "request_candidate", "review"):
        key = list(TABLES[name].key)
        both = played.before.table(name).join(played.after.table(name), on=key, suffix="_later")
        since = pl.col("updated_at_later").dt.epoch("s") > played.before.now
        same = pl.col("updated_at") == pl.col("updated_at_later")
        assert both.filter(~since & ~same).height == 0
        assert both.filter(since).height < both.height / 2


def test_decisions_follow_the_truth(played: Played) -> None:
    frauds = {row["account_id"] for row in played.after.truth("fraud")}
    decisions = played.after.table("fraud_flag_decision")
    assert decisions.height > len(frauds)
    assert decisions["flag_id"].n_unique() == decisions.height
    for flag, decision in decisions.select("flag_id", "decision").iter_rows():
        assert decision == ("upheld" if flag.removeprefix("flag-") in frauds else "overturned")


def test_open_privacy_requests_move_on_and_new_ones_come(played: Played) -> None:
    truth = {row["privacy_request_id"]: row for row in played.after.truth("privacy_requests")}
    requests = {row["privacy_request_id"]: row for row in played.after.table("privacy_request").iter_rows(named=True)}
    assert set(truth) == set(requests)
    states = {row["case"]: erasure_state(played.after, requests[number]) for number, row in truth.items()}
    assert states["nearly_eligible"] == "done"
    assert states["verified_later"] == "done"
    assert states["withdrawn_later"] == "refused"
    assert states["new_request"] == "done"
    old = {row["privacy_request_id"] for row in played.before.truth("privacy_requests")}
    assert {row["case"] for number, row in truth.items() if number not in old} >= {"new_request", "no_booking"}


def test_money_still_adds_up(played: Played) -> None:
    payouts = mended(played.after, "payout")
    assert payouts_explained(mended(played.after, "balance_transaction"), payouts) > len(
        played.before.objects("payout")
    )
    off = [row["booking_id"] for row in played.after.truth("reconciliation") if row["reason"] in OF_THE_APP]
    paid = played.after.table("booking").filter(pl.col("paid_at").is_not_null() & ~pl.col("booking_id").is_in(off))
    charged = {c["payment_intent"]: c["amount"] for c in played.after.objects("charge") if c["paid"]}
    for intent, price in paid.select("stripe_payment_intent_id", "price_nok").iter_rows():
        assert charged[intent] == round(price * 100)


def test_stripe_files_stay_sorted_with_ids_used_once(played: Played) -> None:
    for file in sorted((played.after.folder / "stripe").glob("*.jsonl")):
        things = json_lines(file)
        ids = [thing["id"] for thing in things]
        assert len(set(ids)) == len(ids), file.name
        created = [thing["created"] for thing in things if "created" in thing]
        if file.stem not in ("person", "bank_account"):
            assert created == sorted(created), file.name
    events = played.after.objects("event")
    assert all(played.after.now - 30 * DAY <= event["created"] <= played.after.now for event in events)
    before = {event["id"] for event in played.before.objects("event")}
    assert {event["created"] > played.before.now for event in events if event["id"] not in before} == {True}


def test_new_event_files_come_and_old_ones_stay(played: Played) -> None:
    before, after = file_bytes(played.before.folder / "events"), file_bytes(played.after.folder / "events")
    assert before.items() <= after.items()
    days = {Path(name).parent.name for name in set(after) - set(before)}
    assert {"dt=2026-11-16", "dt=2026-11-17"} <= days
    assert days <= {f"dt=2026-11-{day}" for day in (15, 16, 17, 18)}


def test_some_rows_become_visible_after_others_that_changed_later() -> None:
    changes = pl.DataFrame({"review_id": [1, 2, 3, 4], "valid_from": [900, 910, 920, 2_000]})
    seen, waiting = split_by_commit("review", changes, 1_000)
    assert seen["review_id"].to_list() == [1, 3]
    assert waiting["review_id"].to_list() == [2, 4]
    referred_to = changes.rename({"review_id": "booking_id"})
    assert split_by_commit("booking", referred_to, 1_000)[0]["booking_id"].to_list() == [1, 2, 3]


def test_days_must_be_at_least_one(world: World) -> None:
    with pytest.raises(ValueError, match="days must be at least 1"):
        advance(world.folder, 0, "postgresql://nobody@127.0.0.1:1/nothing")


def test_a_folder_without_a_world_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is no world"):
        advance(tmp_path, 1, "postgresql://nobody@127.0.0.1:1/nothing")
