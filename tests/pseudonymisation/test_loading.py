"""Landed rows reach each purpose as the policy says, once, and under pseudonyms that purposes do not share."""

from datetime import UTC, date, datetime

from pseudonymisation.policy.model import Policy
from tests.pseudonymisation.conftest import Market, account, account_id, booking


def test_a_booking_reaches_every_purpose_with_its_own_pseudonyms_and_coarseness(market: Market) -> None:
    market.land("account", account(1), account(2, is_provider=True))
    market.land("booking", booking(7, 1, 2))
    market.load()
    seen = {purpose: market.rows(purpose, "app_db__booking") for purpose in market.policy.purposes}
    assert all(len(rows) == 1 for rows in seen.values())
    matching, fraud, trends, accounting = (seen[p][0] for p in ("matching", "fraud", "market_trends", "accounting"))
    assert (matching["price_nok"], fraud["price_nok"], trends["price_nok"]) == (1230, 1240, 1250)
    assert str(accounting["price_nok"]) == "1234.00"
    assert matching["booked_at"] == datetime(2026, 5, 30, 8, 0, tzinfo=UTC)
    assert trends["booked_at"] == date(2026, 5, 30)
    for column in ("booking_id", "customer_id", "provider_id", "_row_key"):
        assert len({rows[0][column] for rows in seen.values()}) == 4
    people = market.rows("matching", "app_db__account")
    assert {matching["customer_id"], matching["provider_id"]} == {row["account_id"] for row in people}


def test_a_changed_row_replaces_the_old_one(market: Market) -> None:
    market.land("account", account(1), account(2))
    market.land("booking", booking(7, 1, 2, status="booked", completed_at=None, paid_at=None))
    market.load()
    market.land("booking", booking(7, 1, 2))
    market.load()
    rows = market.rows("matching", "app_db__booking")
    assert [row["status"] for row in rows] == ["completed"]


def test_a_row_that_vanished_from_the_source_goes_everywhere_but_where_the_law_holds_it(market: Market) -> None:
    market.land("account", account(1), account(2))
    market.land("booking", booking(7, 1, 2), booking(8, 1, 2))
    market.load()
    market.land("booking", {"booking_id": 8}, kind="keys")
    market.load()
    counts = {purpose: len(market.rows(purpose, "app_db__booking")) for purpose in market.policy.purposes}
    assert counts == {"matching": 1, "fraud": 1, "market_trends": 1, "accounting": 2}


def test_a_row_that_is_told_as_deleted_goes_and_the_others_stay(market: Market) -> None:
    market.land("account", account(1), account(2))
    market.land("booking", booking(7, 1, 2), booking(8, 1, 2))
    market.load()
    market.land("booking", {"booking_id": 8}, kind="deleted")
    market.load()
    counts = {purpose: len(market.rows(purpose, "app_db__booking")) for purpose in market.policy.purposes}
    assert counts["matching"] == counts["fraud"] == 1
    assert counts["accounting"] == 2


def test_an_account_that_is_told_as_deleted_has_vanished_until_it_is_back(market: Market) -> None:
    market.land("account", account(1), account(2))
    market.land("account", {"account_id": account(1)["account_id"]}, kind="deleted")
    market.load()
    assert market.vault("SELECT count(*) FROM vault.vanished") == [(1,)]
    market.land("account", account(1))
    market.load()
    assert market.vault("SELECT count(*) FROM vault.vanished") == [(0,)]


def test_an_identifier_that_nobody_has_is_refused_and_counted(market: Market) -> None:
    market.land("account", account(1))
    market.load()
    market.land("booking", booking(7, 1, 999))
    loads = market.load()
    assert market.rows("matching", "app_db__booking") == []
    assert loads["matching"].tables["app_db__booking"].refused_unmapped == 1


def test_a_stripe_customer_is_the_account_that_it_belongs_to(market: Market) -> None:
    market.land("account", account(1, stripe_customer_id="cus_1"), account(2, is_provider=True))
    market.land(
        "provider_profile", {"account_id": account_id(2), "display_name": "Vask AS", "stripe_account_id": "acct_2"}
    )
    charge = {
        "id": "ch_1", "object": "charge", "created": 1780000000, "customer": "cus_1", "amount": 123400, "status": "succeeded",
        "transfer_data": {"destination": "acct_2"}, "metadata": {"booking_id": "7", "account_id": account_id(1)},
        "billing_details": {"name": "Navn Navnesen 1", "address": {"line1": "Storgata 1"}}, "paid": True,
        "payment_method_details": {"type": "card", "card": {"fingerprint": "fp1"}},
    }  # fmt: skip
    market.land_stripe("charge", charge)
    market.land("booking", booking(7, 1, 2))
    market.load()
    accounts = {row["account_id"] for row in market.rows("fraud", "app_db__account")}
    charges = market.rows("fraud", "stripe__charge")
    assert {charges[0]["customer_id"], charges[0]["provider_id"]} == accounts
    assert charges[0]["booking_id"] == market.rows("fraud", "app_db__booking")[0]["booking_id"]
    assert (charges[0]["amount"], charges[0]["is_paid"]) == (124000, True)
    assert market.rows("accounting", "stripe__charge")[0]["billing_name"] == "Navn Navnesen 1"


def test_events_carry_the_visitor_and_the_account_and_double_deliveries_count_once(market: Market) -> None:
    market.land("account", account(1))
    event = {
        "messageId": "m1", "type": "track", "event": "Search Performed", "receivedAt": "2026-11-14T10:02:33Z",
        "userId": account_id(1), "anonymousId": "cookie-1",
        "properties": {"category": "cleaning", "postal_code": "0150", "results": [account_id(1)]}, "context": {},
    }  # fmt: skip
    market.land_events(event)
    market.load()
    market.land_events(event)
    market.load()
    rows = market.rows("matching", "events__event")
    assert len(rows) == 1
    assert (rows[0]["category_slug"], rows[0]["municipality"], rows[0]["result_count"]) == ("cleaning", "OSLO", 1)
    assert rows[0]["account_id"] == market.rows("matching", "app_db__account")[0]["account_id"]
    assert market.rows("fraud", "events__event") == []


def test_a_deleted_stripe_customer_leaves_the_purposes(market: Market) -> None:
    market.land("account", account(1, stripe_customer_id="cus_1"))
    market.land_stripe("customer", {"id": "cus_1", "object": "customer", "created": 1780000000, "metadata": {}})
    market.load()
    assert len(market.rows("fraud", "stripe__customer")) == 1
    market.land_stripe("customer", {"id": "cus_1", "object": "customer", "deleted": True})
    market.load()
    assert market.rows("fraud", "stripe__customer") == []


def test_a_stripe_object_that_is_not_among_the_keys_any_more_leaves_the_purposes(market: Market) -> None:
    market.land("account", account(1, stripe_customer_id="cus_1"), account(2, stripe_customer_id="cus_2"))
    customer = {"object": "customer", "created": 1780000000, "metadata": {}}
    market.land_stripe("customer", {**customer, "id": "cus_1"}, {**customer, "id": "cus_2"})
    market.load()
    market.land_stripe_keys("customer", "cus_2")
    market.load()
    assert len(market.rows("fraud", "stripe__customer")) == 1


def test_rows_of_one_person_are_not_multiplied(market: Market) -> None:
    market.land("account", account(1))
    logins = [
        {"login_id": n, "account_id": account_id(1), "at": datetime(2026, 1, n, tzinfo=UTC), "success": True}
        for n in (1, 2, 3)
    ]
    market.land("login", *logins)
    market.load()
    assert len(market.rows("fraud", "app_db__login")) == 3


def test_no_raw_identifier_stays_in_a_purpose_that_the_policy_does_not_give_it_to(
    market: Market, policy: Policy
) -> None:
    market.land("account", account(1), account(2, is_provider=True))
    market.land(
        "provider_profile", {"account_id": account_id(2), "display_name": "Vask AS", "bank_account": "12345678903"}
    )
    market.land("booking", booking(7, 1, 2))
    market.load()
    planted = ["Navn Navnesen", "example.no", "400 00", account_id(1), "12345678903"]
    for purpose in policy.purposes:
        for table in policy.tables_of(purpose):
            text = repr(market.rows(purpose, table.stored_name))
            assert not [value for value in planted if value in text], (purpose, table.stored_name)


def test_landing_is_empty_when_every_purpose_has_taken_the_batches(market: Market) -> None:
    market.land("account", account(1))
    market.load()
    assert list(market.workspace.home.landing.rglob("*.parquet")) == []
