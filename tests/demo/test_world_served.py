"""A generated world, served by the double of Stripe's API: the two halves of the demo fit together, also while it plays on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from stripe import InvalidRequestError, StripeClient

from demo.loading import load_world
from demo.postgres import running_postgres
from demo.stripe_cli import start_stripe_double
from demo.world.advance import advance
from tests.demo.conftest import World


def ids(page: object) -> list[str]:
    return [thing.id for thing in page.auto_paging_iter()]  # type: ignore[attr-defined]


def test_the_double_lists_what_the_world_holds_and_follows_it_as_it_plays_on(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "world"
    shutil.copytree(world.folder, folder)
    with start_stripe_double(folder / "stripe", rate_limit=0) as double, running_postgres(tmp_path / "pg") as server:
        client = double.client()
        assert_listed(client, world)
        load_world(folder, server.admin_dsn)
        later = World(folder=folder, content=advance(folder, 2, server.admin_dsn))
        assert_listed(client, later)
        (gone, *_) = [customer for customer in later.objects("customer") if customer.get("deleted")]
        assert client.v1.customers.retrieve(gone["id"]).to_dict() == gone


def assert_listed(client: StripeClient, world: World) -> None:
    for kind, service in (
        ("charge", client.v1.charges),
        ("payment_intent", client.v1.payment_intents),
        ("account", client.v1.accounts),
        ("refund", client.v1.refunds),
        ("event", client.v1.events),
        ("customer", client.v1.customers),
    ):
        listed = ids(service.list({"limit": 100}))
        held = [t["id"] for t in world.objects(kind) if "_account" not in t and not t.get("deleted")]
        assert sorted(listed) == sorted(held), kind
    provider = next(account for account in world.objects("account"))
    entries = ids(client.v1.balance_transactions.list({"limit": 100}, {"stripe_account": provider["id"]}))
    assert sorted(entries) == sorted(
        t["id"] for t in world.objects("balance_transaction") if t.get("_account") == provider["id"]
    )
    payout = next(p for p in world.objects("payout") if "_account" not in p)
    explained = client.v1.balance_transactions.list({"payout": payout["id"], "limit": 100})
    assert sum(entry.net for entry in explained.auto_paging_iter()) == payout["amount"]
    external = client.v1.accounts.external_accounts.list(provider["id"])
    assert [bank.id for bank in external.data] == [bank["id"] for bank in provider["external_accounts"]["data"]]


def test_an_account_s_person_is_found_under_it(world: World) -> None:
    with start_stripe_double(world.folder / "stripe", rate_limit=0) as double:
        client = double.client()
        account = world.objects("account")[0]["id"]
        (person,) = client.v1.accounts.persons.list(account).data
        assert person.account == account
        with pytest.raises(InvalidRequestError, match="No such"):
            client.v1.charges.retrieve("ch_nothing")
