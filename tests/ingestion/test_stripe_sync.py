import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from demo.stripe_cli import StripeDouble
from ingestion.landing import Landing, open_landing
from ingestion.stripe_sync import StripePull, pull_stripe
from storage import LeiiError, Workspace
from tests.ingestion.stripe_market import (
    DAY,
    PROVIDERS,
    Market,
    landed,
    living,
    play_on,
    served,
    show,
    small_market,
)


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeDouble]:
    """One server for all; `market` gives it a fresh market for every test."""
    with served(small_market(tmp_path_factory.getbasetemp() / "stripe_sync")) as running:
        yield running


@pytest.fixture
def market(tmp_path_factory: pytest.TempPathFactory, double: StripeDouble) -> Market:
    fresh = small_market(tmp_path_factory.getbasetemp() / "stripe_sync")
    show(fresh, double)
    return fresh


@pytest.fixture
def landing(workspace: Workspace) -> Iterator[Landing]:
    with open_landing(workspace) as opened:
        yield opened


def pull(
    workspace: Workspace,
    landing: Landing,
    double: StripeDouble,
    types: list[str] | None = None,
) -> StripePull:
    result = pull_stripe(
        workspace,
        landing,
        api_key=double.api_key,
        api_base=double.base_url,
        types=types,
    )
    assert result.errors == {}
    return result


def test_the_first_pass_lands_every_object_as_stripe_shows_it(
    market: Market, double: StripeDouble, workspace: Workspace, landing: Landing
) -> None:
    result = pull(workspace, landing, double)
    assert landed(workspace, landing) == market.truth()
    assert result.types["charge"].rows == 230
    assert result.types["charge"].requests == 7  # a first page, and the windows of time below it
    assert result.types["transfer_reversal"].rows == 12
    assert result.types["transfer_reversal"].requests == 1  # only where the list inside the transfer is cut off
    assert result.types["fee_refund"].requests == 0


def test_a_pass_without_news_lands_only_what_no_event_tells_of(
    market: Market, double: StripeDouble, workspace: Workspace, landing: Landing
) -> None:
    pull(workspace, landing, double)
    before = landed(workspace, landing)
    assert living(before) == market.truth()
    pull(workspace, landing, double)  # reads the overlap again
    result = pull(workspace, landing, double)
    assert landed(workspace, landing) == before
    assert result.types["charge"].rows == 0
    assert result.types["payment_intent"].rows == 0
    assert result.types["balance_transaction"].rows > 0


def test_changes_told_by_events_and_new_objects_land_as_they_are_now(
    market: Market,
    double: StripeDouble,
    workspace: Workspace,
    landing: Landing,
    workspace_at: Callable[[datetime], Workspace],
) -> None:
    pull(workspace, landing, double)
    play_on(market)
    show(market, double)
    pull(workspace_at(datetime.fromtimestamp(market.now, UTC)), landing, double)
    state = landed(workspace, landing)
    truth = market.truth()
    assert living(state) == truth
    gone = {table: sorted(key for key, row in rows.items() if row[2]) for table, rows in state.items()}
    assert {table: keys for table, keys in gone.items() if keys} == {
        "account": ["acct_1C"],
        "bank_account": [f"ba_{PROVIDERS[1]}"],
        "customer": ["cus_5"],
        "person": [f"person_{PROVIDERS[1]}"],
    }
    assert state["customer"]["cus_5"] == (
        None,
        None,
        True,
        {"id": "cus_5", "object": "customer", "deleted": True},
    )


def test_a_list_inside_its_parent_that_does_not_add_up_is_asked_for(
    market: Market, double: StripeDouble, workspace: Workspace, landing: Landing
) -> None:
    market.put("fee_refund", "fr_hidden", fee="fee_9", amount=70)
    market.change("fee_9", amount_refunded=70)
    show(market, double)
    result = pull(workspace, landing, double, ["fee_refund"])
    assert sorted(landed(workspace, landing)["fee_refund"]) == ["fr_0", "fr_hidden"]
    assert result.types["fee_refund"].requests == 1


def test_a_cursor_older_than_25_days_leads_to_a_whole_pass_that_finds_what_vanished_unseen(
    market: Market,
    double: StripeDouble,
    workspace: Workspace,
    landing: Landing,
    workspace_at: Callable[[datetime], Workspace],
) -> None:
    pull(workspace, landing, double)
    market.delete("cus_9")
    market.change("ch_9", description="changed when nobody looked")
    market.delete(f"person_{PROVIDERS[0]}")
    show(market, double)
    result = pull(workspace_at(workspace.now + timedelta(days=26)), landing, double)
    assert len(result.notes) == 1
    assert "more than 25 days ago" in result.notes[0]
    truth = market.truth()
    assert landed(workspace, landing) == truth
    assert pull(workspace_at(workspace.now + timedelta(days=27)), landing, double).notes == ()


def test_accounts_without_business_are_read_again_within_a_week(
    market: Market,
    double: StripeDouble,
    workspace: Workspace,
    landing: Landing,
    workspace_at: Callable[[datetime], Workspace],
) -> None:
    pull(workspace, landing, double)
    market.now += DAY
    market.put("balance_transaction", "txn_quiet", _account=PROVIDERS[2])
    show(market, double)
    pull(workspace_at(workspace.now + timedelta(days=1)), landing, double)
    assert "txn_quiet" not in landed(workspace, landing)["balance_transaction"]
    pull(workspace_at(workspace.now + timedelta(days=6)), landing, double)
    assert "txn_quiet" in landed(workspace, landing)["balance_transaction"]


def test_only_the_types_asked_for_are_read_and_the_rest_can_follow(
    market: Market, double: StripeDouble, workspace: Workspace, landing: Landing
) -> None:
    result = pull(workspace, landing, double, ["transfer_reversal", "radar.early_fraud_warning"])
    assert sorted(result.types) == ["radar_early_fraud_warning", "transfer_reversal"]
    assert {table: len(rows) for table, rows in landed(workspace, landing).items() if rows} == {
        "transfer_reversal": 12,
        "radar_early_fraud_warning": 1,
    }
    pull(workspace, landing, double)
    truth = market.truth()
    assert landed(workspace, landing) == truth


def test_an_unknown_type_is_refused_with_the_names_that_there_are(workspace: Workspace, landing: Landing) -> None:
    with pytest.raises(LeiiError, match=r"no such Stripe type: chrage.*charge"):
        pull_stripe(
            workspace,
            landing,
            api_key="sk_test",
            api_base="http://127.0.0.1:9",
            types=["chrage"],
        )


def test_the_register_keeps_no_id_of_any_object(
    market: Market, double: StripeDouble, workspace: Workspace, landing: Landing
) -> None:
    pull(workspace, landing, double)
    pull(workspace, landing, double)
    written = b"".join(path.read_bytes() for path in workspace.home.landing.glob("register.sqlite*"))
    assert b"events_to" in written
    assert [key for key in market.objects if re.search(rb"\b%s\b" % key.encode(), written)] == []
