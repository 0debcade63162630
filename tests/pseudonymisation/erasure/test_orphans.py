"""A warehouse that is put back without its vault, and a vault that is gone: nobody erased stays, and nobody else goes."""

import shutil

import pytest

from ingestion.landing import open_landing
from pseudonymisation.erasure.orphans import note_restored, require_vault
from pseudonymisation.loading import takers_behind
from storage import LeiiError
from tests.pseudonymisation.conftest import NOON, Market, account, account_id
from tests.pseudonymisation.erasure.conftest import Town
from tests.pseudonymisation.test_consent import sent


def everyone_in(market: Market, purpose: str) -> set[object]:
    return {row["account_id"] for row in market.rows(purpose, "app_db__account")}


def test_a_warehouse_from_before_an_erasure_loses_the_erased_though_no_source_has_them(town: Town) -> None:
    """The events are no longer in the source and the booking is gone from the app: no reading anew would show it."""
    market, home = town.market, town.market.workspace.home
    town.people(1, 2)
    town.book(7, 1, 2)
    market.land_events(sent("of-one", NOON, userId=account_id(1)), sent("of-two", NOON, userId=account_id(2)))
    market.load()
    backup = home.root.with_name("backup")
    shutil.copytree(home.root / "warehouse", backup)
    town.ask(1)
    assert len(town.erase().certificates) == 1
    market.land("account", account(2))
    market.load()
    left = {purpose: everyone_in(market, purpose) for purpose in ("matching", "fraud", "market_trends")}
    held = (home.root / "held" / "held.duckdb").stat().st_size
    shutil.rmtree(home.root / "warehouse")
    shutil.copytree(backup, home.root / "warehouse")
    with open_landing(market.workspace) as landing:
        assert set(takers_behind(market.workspace, landing, market.policy)) == set(market.policy.purposes)
    assert all(len(everyone_in(market, purpose)) == 2 for purpose in left)
    note_restored(market.workspace)
    market.land("account", account(2))
    market.load()
    prepared = town.prepare()
    assert prepared.orphans == 4
    assert prepared.purposes_touched == tuple(market.policy.purposes)
    assert {purpose: everyone_in(market, purpose) for purpose in left} == left
    for purpose in ("matching", "accounting"):
        [row] = market.rows(purpose, "app_db__booking")
        assert (row["customer_id"], row["provider_id"] is None) == (None, False)
    assert len(market.rows("matching", "events__event")) == 1
    assert (home.root / "held" / "held.duckdb").stat().st_size == held
    assert town.prepare().orphans == 0


def test_somebody_whose_erasure_is_under_way_is_no_orphan(town: Town) -> None:
    town.people(1, 2)
    town.market.load()
    town.ask(1)
    town.prepare()
    note_restored(town.market.workspace)
    assert town.prepare().orphans == 0
    town.publish()
    assert len(town.finish().certificates) == 1


def test_warehouses_without_a_vault_are_refused(market: Market) -> None:
    require_vault(market.workspace, market.policy)
    market.land("account", account(1))
    market.load()
    market.workspace.home.vault_file.unlink()
    with pytest.raises(LeiiError, match=r"no vault.*move warehouse/ and published/ away"):
        require_vault(market.workspace, market.policy)
