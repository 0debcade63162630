"""Consent withdrawn in the app: what rested on it goes from every purpose, and only that."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from pseudonymisation.consent import ConsentApplied, apply_withdrawn_consent
from tests.pseudonymisation.conftest import NOON, account_id
from tests.pseudonymisation.erasure.conftest import Town, postgres, town

__all__ = ["postgres", "town"]

EARLIER, LATER = NOON - timedelta(days=20), NOON - timedelta(days=2)


def sent(message: str, at: datetime, event: str = "Search Performed", **who: Any) -> dict[str, Any]:
    return {
        "messageId": message,
        "type": "track",
        "event": event,
        "receivedAt": at.isoformat(),
        "properties": {"category": "rengjoring", "request_id": 5, "booking_id": 5},
        "context": {"ip": "10.0.0.1", "device": {"id": "d1"}, "userAgent": "Mozilla/5.0 Firefox/140.0"},
        **who,
    }


def say(town: Town, granted: bool, at: datetime, purpose: str = "analytics_cookies", **who: str) -> None:
    columns = {"account_id": None, "anonymous_id": None, **who}
    town.sql(
        "insert into app.consent select coalesce(max(consent_id), 0) + 1, %s, %s, %s, %s, %s, 'profile' from app.consent",
        [columns["account_id"], columns["anonymous_id"], purpose, granted, at],
    )


def apply(town: Town) -> ConsentApplied:
    return apply_withdrawn_consent(town.market.workspace, town.market.policy, town.dsn)


def events(town: Town, purpose: str) -> list[dict[str, Any]]:
    return town.market.rows(purpose, "events__event")


@pytest.fixture
def visited(town: Town) -> Town:
    """Two people who searched and asked, one of them also before signing in; a third cookie that nobody owns."""
    one, two = {"userId": account_id(1), "anonymousId": "c1"}, {"userId": account_id(2), "anonymousId": "c2"}
    town.people(1, 2)
    town.market.land_events(
        sent("before-sign-in", EARLIER, anonymousId="c1"),
        sent("search", EARLIER, **one),
        sent("request", EARLIER, "Request Sent", **one),
        sent("checkout", EARLIER, "Checkout Started", **one),
        sent("others-search", EARLIER, **two),
        sent("nobodys-search", EARLIER, anonymousId="c3"),
    )
    town.market.load()
    return town


def test_without_a_withdrawal_nothing_changes(visited: Town) -> None:
    say(visited, True, EARLIER, account_id=account_id(1))
    assert apply(visited) == ConsentApplied()
    assert len(events(visited, "matching")) == 5


def test_what_rested_on_the_consent_goes_and_the_service_keeps_what_it_needs(visited: Town) -> None:
    say(visited, True, EARLIER - timedelta(days=1), account_id=account_id(1))
    say(visited, False, LATER, account_id=account_id(1))
    apply(visited)
    left = events(visited, "matching")
    assert sorted(row["event_name"] for row in left) == ["Request Sent", "Search Performed", "Search Performed"]
    request = next(row for row in left if row["event_name"] == "Request Sent")
    assert request["account_id"] is not None
    assert request["request_id"] is not None
    assert (request["visitor_id"], request["category_slug"]) == (None, None)
    checkout = events(visited, "fraud")[0]
    assert checkout["booking_id"] is not None
    assert (checkout["device_id"], checkout["network_id"]) == (None, None)
    assert len(events(visited, "market_trends")) == 2
    assert apply(visited) == ConsentApplied()


def test_a_reduced_row_is_seen_by_incremental_models(visited: Town) -> None:
    before = max(row["_batch_id"] for row in events(visited, "fraud"))
    say(visited, False, LATER, account_id=account_id(1))
    apply(visited)
    assert events(visited, "fraud")[0]["_batch_id"] > before


def test_what_came_after_the_consent_was_given_again_stays(visited: Town) -> None:
    say(visited, False, LATER, account_id=account_id(1))
    say(visited, True, LATER + timedelta(hours=1), account_id=account_id(1))
    visited.market.land_events(
        sent("between", LATER + timedelta(minutes=10), userId=account_id(1)),
        sent("after", LATER + timedelta(hours=2), userId=account_id(1)),
    )
    visited.market.load()
    apply(visited)
    searches = [row for row in events(visited, "matching") if row["event_name"] == "Search Performed"]
    assert len(searches) == 3  # the other's, the unknown cookie's, and the one after


def test_another_consent_takes_nothing_away(visited: Town) -> None:
    say(visited, False, LATER, purpose="marketing", account_id=account_id(1))
    say(visited, False, LATER, purpose="personalisation", account_id=account_id(1))
    assert apply(visited) == ConsentApplied()


def test_a_cookie_that_no_account_is_tied_to_can_be_deleted(visited: Town) -> None:
    people = visited.market.vault("SELECT count(*) FROM vault.subject")[0][0]
    say(visited, False, LATER, anonymous_id="c3")
    apply(visited)
    assert len(events(visited, "matching")) == 4
    assert visited.market.vault("SELECT count(*) FROM vault.subject") == [(people - 1,)]
    inode = visited.market.workspace.home.vault_file.stat().st_ino
    visited.finish()
    assert visited.market.workspace.home.vault_file.stat().st_ino != inode
