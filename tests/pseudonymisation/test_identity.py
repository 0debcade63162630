"""Identifiers that turn out to be one person: what is stored is given to them, also backwards, and nothing of anybody else."""

import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ingestion.event_store import open_store
from pseudonymisation.access.event_rows import read_event_rows
from pseudonymisation.access.person import Person, resolve_person
from pseudonymisation.vault import open_vault
from tests.pseudonymisation.conftest import Market, account, account_id
from tests.pseudonymisation.erasure.conftest import Town, postgres, town

__all__ = ["postgres", "town"]

CUSTOMER = {"object": "customer", "created": 1780000000, "metadata": {}}


def visit(day: int, hour: int = 10, user: int | None = None, cookie: str | None = "c1") -> dict[str, Any]:
    return {
        "messageId": f"{cookie}-{day}-{hour}-{user}", "type": "track", "event": "Search Performed",
        "receivedAt": datetime(2026, 10, day, hour, 3).isoformat() + "Z",
        "userId": account_id(user) if user else None, "anonymousId": cookie,
        "properties": {"category": "cleaning", "postal_code": "0150"}, "context": {},
    }  # fmt: skip


PLACES = {1: "0150", 2: "5003"}
NUMBERS = {"OSLO": 1, "BERGEN": 2}


def people(market: Market) -> None:
    """Two accounts, which the purpose that is looked at can tell apart by where they live."""
    market.land("account", *(account(number, postal_code=place) for number, place in PLACES.items()))


def owners(market: Market) -> list[tuple[int, int | None]]:
    """Of every stored event the day, and the number of the account that it is given to."""
    accounts = market.rows("matching", "app_db__account")
    numbers = {row["account_id"]: NUMBERS[row["municipality"]] for row in accounts}
    rows = market.rows("matching", "events__event")
    return [(row["received_at"].day, numbers.get(row["account_id"])) for row in sorted(rows, key=_when)]


def _when(row: dict[str, Any]) -> Any:
    return row["received_at"]


def test_earlier_and_later_events_of_a_cookie_become_the_accounts_in_every_purpose(market: Market) -> None:
    people(market)
    market.land_events(visit(1), visit(2))
    market.load()
    assert owners(market) == [(1, None), (2, None)]
    before = max(row["_batch_id"] for row in market.rows("matching", "events__event"))
    market.land_events(visit(5, user=1))
    market.load()
    market.land_events(visit(9))
    market.load()
    assert owners(market) == [(1, 1), (2, 1), (5, 1), (9, 1)]
    assert len({row["account_id"] for row in market.rows("market_trends", "events__event")} - {None}) == 1
    rows = market.rows("matching", "events__event")
    assert sorted(row["is_signed_in"] for row in rows) == [False, False, False, True]
    assert min(row["_batch_id"] for row in rows) > before


def test_what_is_delivered_again_changes_nothing_not_even_its_batch(market: Market) -> None:
    people(market)
    market.land_events(visit(1), visit(5, user=1))
    market.load()
    before = {purpose: market.rows(purpose, "events__event") for purpose in ("matching", "market_trends")}
    market.land_events(visit(1), visit(5, user=1), visit(9, user=1))
    loads = market.load()
    assert loads["matching"].tables["events__event"].loaded == 1
    for purpose, rows in before.items():
        after = market.rows(purpose, "events__event")
        assert len(after) == 3
        assert [row for row in after if row["_row_key"] in {one["_row_key"] for one in rows}] == rows


def test_a_sighting_that_a_purpose_does_not_get_counts_as_well(market: Market) -> None:
    people(market)
    market.land_events(visit(1), {**visit(3, user=1), "type": "identify", "event": None})
    market.load()
    assert owners(market) == [(1, 1)]


SHARED = [
    visit(1),
    visit(2, user=1),
    visit(4),
    visit(6, user=1),
    visit(8),
    visit(10, user=2),
    visit(12),
    visit(14, user=2),
    visit(16),
]
ON_A_SHARED_DEVICE = [(1, None), (2, 1), (4, 1), (6, 1), (8, None), (10, 2), (12, 2), (14, 2), (16, None)]


def test_on_a_shared_device_only_what_lies_between_two_sightings_of_one_is_theirs(market: Market) -> None:
    people(market)
    market.land_events(*SHARED)
    market.load()
    assert owners(market) == ON_A_SHARED_DEVICE


@pytest.mark.parametrize("order", [(2, 1, 0), (1, 2, 0)])
def test_the_order_in_which_events_come_changes_nothing(market: Market, order: tuple[int, ...]) -> None:
    people(market)
    parts = [SHARED[:4], SHARED[4:6], SHARED[6:]]
    for part in order:
        market.land_events(*parts[part])
        market.load()
    assert owners(market) == ON_A_SHARED_DEVICE


def test_a_day_on_which_two_people_were_seen_is_nobodys(market: Market) -> None:
    people(market)
    market.land_events(visit(1, 8, user=1), visit(1, 9), visit(1, 12, user=2))
    market.load()
    assert owners(market) == [(1, 1), (1, None), (1, 2)]


@pytest.mark.slow
def test_an_erasure_takes_the_earlier_visits_and_nothing_of_the_other_person(town: Town) -> None:
    town.people(1, 2)
    town.market.land_events(visit(1, cookie="own"), visit(2, user=1, cookie="own"), *SHARED)
    town.market.load()
    town.ask(1)
    assert len(town.erase().certificates) == 1
    days = sorted(row["received_at"].day for row in town.market.rows("matching", "events__event"))
    assert days == [1, 8, 10, 12, 14, 16]
    town.market.land_events(visit(4, 11), visit(12, 11), visit(8, 11), visit(3, cookie="own"))
    town.market.load()
    rows = town.market.rows("matching", "events__event")
    assert sorted(row["received_at"].day for row in rows) == [1, 8, 8, 10, 12, 12, 14, 16]
    assert {row["received_at"].day for row in rows if row["account_id"] is None} == {1, 8, 16}


@pytest.mark.slow
def test_when_everybody_who_used_a_device_is_erased_nothing_of_it_stays(town: Town) -> None:
    town.people(1, 2)
    town.market.land_events(*SHARED)
    town.market.load()
    town.ask(1)
    town.erase()
    with town.market.workspace.connect() as con, open_vault(con, town.market.workspace, read_only=True):
        resolve_person(con, town.market.workspace, account_id(2))
        cookies = con.execute(
            "SELECT count(*) FROM own_alias JOIN vault.alias USING (alias_hash) WHERE kind = 'anonymous'"
        )
        assert cookies.fetchone() == (0,), "what may have been the erased one's is not shown to the other"
    town.ask(2)
    town.erase()
    assert town.market.rows("matching", "events__event") == []
    assert town.market.vault("SELECT count(*) FROM vault.cookie_link") == [(0,)]


@pytest.mark.slow
def test_two_who_share_a_device_and_go_together_leave_nothing(town: Town) -> None:
    town.people(1, 2)
    town.market.land_events(*SHARED)
    town.market.load()
    town.ask(1)
    town.ask(2)
    assert len(town.erase().certificates) == 2
    assert town.market.rows("matching", "events__event") == []


@pytest.mark.parametrize(("number", "days"), [(1, [1, 2, 2, 4, 6]), (2, [10, 12, 14])])
def test_a_person_is_shown_their_visits_and_nothing_of_the_other_person(
    town: Town, tmp_path: Path, number: int, days: list[int]
) -> None:
    town.people(1, 2)
    events = [visit(1, cookie="own"), visit(2, user=1, cookie="own"), *SHARED]
    town.market.land_events(*events)
    town.market.load()
    folder = tmp_path / "events" / "dt=2026-10-31"
    folder.mkdir(parents=True)
    (folder / "a.jsonl.gz").write_bytes(gzip.compress("".join(json.dumps(one) + "\n" for one in events).encode()))
    workspace = town.market.workspace
    with workspace.connect() as con, open_vault(con, workspace, read_only=True):
        resolve_person(con, workspace, account_id(number))
        person = Person(account_id=account_id(number), known={})
        found = read_event_rows(con, workspace, open_store(str(tmp_path / "events")), person)
    assert sorted(datetime.fromisoformat(event["receivedAt"]).day for event in found.events) == days


def test_a_stripe_customer_becomes_its_accounts_when_the_account_claims_it(market: Market) -> None:
    market.land_stripe("customer", {**CUSTOMER, "id": "cus_1"})
    market.load()
    (before,) = market.rows("fraud", "stripe__customer")
    assert market.vault("SELECT count(*) FROM vault.subject") == [(1,)]
    market.land("account", account(1, stripe_customer_id="cus_1"))
    market.load()
    (after,), (person,) = market.rows("fraud", "stripe__customer"), market.rows("fraud", "app_db__account")
    assert after["account_id"] == person["account_id"] != before["account_id"]
    assert after["_batch_id"] > before["_batch_id"]
    market.load()
    assert market.vault("SELECT count(*) FROM vault.subject") == [(1,)]
    assert market.vault("SELECT count(*) FROM vault.merged_subject") == [(0,)]
    assert market.rows("fraud", "stripe__customer") == [after]


def test_what_belongs_to_one_account_is_not_taken_by_anothers_claim(market: Market) -> None:
    market.land("account", account(1, stripe_customer_id="cus_1"))
    market.land_stripe("customer", {**CUSTOMER, "id": "cus_1"})
    market.load()
    before = market.rows("fraud", "stripe__customer")
    market.land("account", account(2, stripe_customer_id="cus_1"))
    market.load()
    assert market.rows("fraud", "stripe__customer") == before


@pytest.mark.slow
def test_an_erasure_right_after_the_claim_covers_what_came_before_it(town: Town) -> None:
    town.market.land_stripe("customer", {**CUSTOMER, "id": "cus_1"})
    town.market.load()
    town.put("account", account(1, stripe_customer_id="cus_1"))
    town.market.load()
    town.ask(1)
    assert len(town.erase().certificates) == 1
    assert town.market.rows("fraud", "stripe__customer") == []
    assert town.market.vault("SELECT count(*) FROM vault.subject") == [(0,)]
    town.market.land_stripe("customer", {**CUSTOMER, "id": "cus_1"})
    town.market.load()
    assert town.market.rows("fraud", "stripe__customer") == []


@pytest.mark.slow
@pytest.mark.parametrize("is_certified", [False, True])
def test_what_turns_out_to_be_somebodys_whose_erasure_has_begun_is_erased_as_well(
    town: Town, is_certified: bool
) -> None:
    """Stripe knew the customer before anybody claimed it; the account claims it between the sweep and the next pass."""
    town.market.land_stripe("customer", {**CUSTOMER, "id": "cus_1"}, {**CUSTOMER, "id": "cus_2"})
    town.people(1, 2)
    town.market.load()
    town.ask(1)
    town.prepare()
    town.publish()
    assert not is_certified or len(town.finish().certificates) == 1
    town.market.land("account", account(1, stripe_customer_id="cus_1"), account(2, stripe_customer_id="cus_2"))
    town.market.load()
    result = town.erase()
    assert (len(result.certificates), result.blocked) == (1 if is_certified else 2, ())
    assert len(town.market.rows("fraud", "stripe__customer")) == 1
    town.market.land_stripe("customer", {**CUSTOMER, "id": "cus_1"})
    town.market.load()
    assert len(town.market.rows("fraud", "stripe__customer")) == 1
    assert town.market.vault("SELECT count(*) FROM vault.subject") == [(1,)]
    assert town.market.vault("SELECT count(*) FROM vault.vanished") == [(0,)]
