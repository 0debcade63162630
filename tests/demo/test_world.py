"""A world as a whole: the same from the same seed, of the size asked for, loadable, and nobody's."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import psycopg
import pytest
from stdnum.no import kontonr, orgnr

from demo.postgres import DemoPostgres
from demo.world.generate import generate_world
from demo.world.places import PLACES
from demo.world.spec import world_spec
from demo.world.tables import PIPELINE_TABLES, TABLES, WORLD_TABLES
from tests.demo.conftest import World, file_bytes, make_world

RESERVED = re.compile(r"@([a-z]+\.)?example(\.(com|org|net|no))?$")


def test_the_same_seed_and_size_give_the_same_bytes(world: World, tmp_path: Path) -> None:
    again = make_world(tmp_path / "again")
    assert file_bytes(again.folder) == file_bytes(world.folder)


def test_generating_over_an_older_world_leaves_nothing_of_it(world: World, tmp_path: Path) -> None:
    make_world(tmp_path / "w", seed=8)
    again = make_world(tmp_path / "w")
    assert file_bytes(again.folder) == file_bytes(world.folder)


def test_another_seed_gives_another_world(world: World, tmp_path: Path) -> None:
    other = make_world(tmp_path / "other", seed=8)
    mine, theirs = file_bytes(world.folder), file_bytes(other.folder)
    assert mine["app_db/account.parquet"] != theirs["app_db/account.parquet"]
    assert not set(world.table("account")["account_id"]) & set(other.table("account")["account_id"])


def test_the_sizes_are_reached_exactly(world: World) -> None:
    assert world.table("account").height == 60
    assert world.table("booking").height == 200
    assert world.content["counts"]["app.booking"] == 200


@pytest.mark.parametrize("field", ["accounts", "bookings", "events"])
def test_a_world_too_small_for_its_cases_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} must be at least"):
        world_spec(**{field: 5})  # type: ignore[arg-type]


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match=r"thesis\.txt"):
        generate_world(tmp_path, world_spec(accounts=60, bookings=200, events=800))
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_every_table_loads_with_its_foreign_keys_on(world: World, loaded: DemoPostgres) -> None:
    with psycopg.connect(loaded.reader_dsn) as connection:
        for name in TABLES:
            (count,) = connection.execute(f"select count(*) from app.{name}").fetchone() or (None,)
            expected = 0 if name in PIPELINE_TABLES else world.table(name).height
            assert count == expected, name
            assert count or name in (*PIPELINE_TABLES, "fraud_flag_decision"), f"{name} is empty"


def test_what_postgresql_holds_is_what_the_folder_holds(world: World, loaded: DemoPostgres) -> None:
    with psycopg.connect(loaded.reader_dsn) as connection:
        rows = connection.execute(
            "select booking_id, price_nok::float8, status, booked_at, paid_at from app.booking order by booking_id"
        ).fetchall()
        skills = connection.execute("select account_id::text, skills from app.provider_profile").fetchall()
    frame = world.table("booking").select("booking_id", "price_nok", "status", "booked_at", "paid_at")
    assert rows == frame.rows()
    assert dict(skills) == dict(world.table("provider_profile").select("account_id", "skills").rows())


@pytest.mark.parametrize("name", [name for name in WORLD_TABLES if TABLES[name].has_updates])
def test_updated_at_is_the_last_change_of_a_row_and_never_ahead_of_the_clock(world: World, name: str) -> None:
    frame = world.table(name)
    assert frame["updated_at"].null_count() == 0
    assert frame["updated_at"].dt.epoch("s").max() <= world.now  # type: ignore[operator]
    # Moments that a row tells of lie before its last change, save those that it plans.
    planned = {"starts_at", "ends_at", "wanted_from", "wanted_to"}
    for column, kind in TABLES[name].columns.items():
        if kind == "time" and column not in planned | {"updated_at"}:
            assert frame.filter(pl.col(column) > pl.col("updated_at")).height == 0, column


def test_contact_details_are_nobodys(world: World) -> None:
    accounts = world.table("account")
    assert all(RESERVED.search(email) for email in accounts["email"])
    assert set(accounts["postal_code"]) <= {place.postal_code for place in PLACES}


def test_national_ids_are_synthetic_with_valid_check_digits(world: World) -> None:
    ids = world.table("account").filter("is_provider")["national_id"]
    assert ids.null_count() == 0
    for number in ids:
        digits = [int(digit) for digit in number]
        assert 81 <= int(number[2:4]) <= 92, "the month of a synthetic number is 80 more"
        assert sum(d * w for d, w in zip(digits, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1, 0), strict=True)) % 11 == 0
        assert sum(d * w for d, w in zip(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1), strict=True)) % 11 == 0


def test_organisation_numbers_and_bank_accounts_have_valid_check_digits(world: World) -> None:
    profiles = world.table("provider_profile")
    assert all(orgnr.is_valid(number) for number in profiles["org_number"].drop_nulls())
    assert all(kontonr.is_valid(number) for number in profiles["bank_account"])


def test_bookings_go_through_their_states(world: World) -> None:
    bookings = world.table("booking")
    assert set(bookings["status"]) >= {"booked", "completed", "cancelled"}
    assert bookings.filter((pl.col("status") == "cancelled") != pl.col("cancelled_by").is_not_null()).height == 0
    assert bookings.filter((pl.col("status") == "completed") != pl.col("completed_at").is_not_null()).height == 0
    assert bookings.filter(pl.col("paid_at") < pl.col("completed_at")).height == 0
    assert bookings.filter(pl.col("customer_id") == pl.col("provider_id")).height == 0
    fee = (pl.col("price_nok") * 0.15 - pl.col("platform_fee_nok")).abs()
    assert bookings.filter(fee > 0.01).height == 0
