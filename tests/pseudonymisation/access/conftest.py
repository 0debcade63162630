"""A town in which two people have left a trace in everything that Leii keeps, and a third must not be seen."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pseudonymisation.access.document import Export, RowTable
from pseudonymisation.access.exports import WrittenExport
from pseudonymisation.access.requests import require_request
from pseudonymisation.access.run import Sources, export_person
from pseudonymisation.loading import open_purpose
from pseudonymisation.session import prepare_session
from pseudonymisation.vault import open_vault
from tests.pseudonymisation.conftest import account, account_id, booking
from tests.pseudonymisation.erasure.conftest import Town, days_before_noon, postgres, town

__all__ = ["postgres", "town"]

CUSTOMER, PROVIDER, OTHER = 1, 2, 3
Tables = dict[str, list[dict[str, Any]]]
LONG_AGO = days_before_noon(90)
EVENT = {"type": "track", "event": "Search Performed", "receivedAt": "2026-11-14T10:00:00Z", "context": {}}


def full_town(town: Town) -> Town:
    """A customer and a provider who had a job, each with rows of many kinds; the other one has them too."""
    for table, rows in (_people() | _jobs() | _talk()).items():
        town.put(table, *rows)
    _stripe(town)
    town.market.land_events(*events())
    town.market.load()
    _models(town)
    town.publish()
    return town


def _people() -> Tables:
    profile = {"bio": "Rask og grundig", "skills": ["vask"], "updated_at": LONG_AGO}
    return {
        "account": [
            account(number, stripe_customer_id=f"cus_{number}", national_id=f"0101019000{number}")
            for number in (CUSTOMER, PROVIDER, OTHER)
        ],
        "provider_profile": [
            {
                "account_id": account_id(number),
                "display_name": f"Tilbyder {number}",
                "stripe_account_id": f"acct_{number}",
                **profile,
            }
            for number in (PROVIDER, OTHER)
        ],
    }


def _jobs() -> Tables:
    times = {"updated_at": LONG_AGO}
    request = {"category_id": 1, "postal_code": "0150", "status": "matched", "created_at": LONG_AGO, **times}
    found: Tables = {"service_request": [], "request_candidate": [], "booking": [], "review": []}
    for number, customer, provider in ((7, CUSTOMER, PROVIDER), (8, OTHER, PROVIDER), (9, CUSTOMER, OTHER)):
        ids = {"request_id": number, "customer_id": account_id(customer), "provider_id": account_id(provider)}
        own = {name: ids[name] for name in ("request_id", "customer_id")}
        found["service_request"].append({**own, "description": "Vask av leilighet", **request})
        shown = {"rank_position": 1, "shown_at": LONG_AGO, "response": "accepted", **times}
        found["request_candidate"].append({"request_id": number, "provider_id": ids["provider_id"], **shown})
        found["booking"].append(
            booking(number, customer, provider, request_id=number, stripe_payment_intent_id=f"pi_{number}")
        )
        parties = {"author_id": ids["customer_id"], "subject_id": ids["provider_id"]}
        said = {"rating": 5, "body": f"Hilsen Navn Navnesen {customer}", "created_at": LONG_AGO, **times}
        found["review"].append({"review_id": number, "booking_id": number, **parties, **said})
    return found


def _talk() -> Tables:
    found: Tables = {"message": [], "support_case": [], "login": [], "consent": []}
    for number, sender, recipient in ((1, CUSTOMER, PROVIDER), (2, PROVIDER, CUSTOMER), (3, OTHER, PROVIDER)):
        people = {"sender_id": account_id(sender), "recipient_id": account_id(recipient)}
        text = {"conversation_id": 1, "body": f"Ring meg på +47 400 00 {sender:03d}", "sent_at": LONG_AGO}
        found["message"].append({"message_id": number, **people, **text})
    for number, complainer, about in ((1, OTHER, CUSTOMER), (2, CUSTOMER, PROVIDER)):
        case = {"case_id": number, "account_id": account_id(complainer), "about_account_id": account_id(about)}
        told = {"channel": "email", "subject": "Klage", "body": f"Jeg heter Navn Navnesen {complainer}"}
        times = {"opened_at": LONG_AGO, "updated_at": LONG_AGO}
        found["support_case"].append({**case, **told, "topic": "quality", **times})
    for number in (CUSTOMER, PROVIDER, OTHER):
        own = {"account_id": account_id(number)}
        device = {"ip": f"192.0.2.{number}", "device_id": f"dev-{number}", "country": "NO"}
        found["login"].append({"login_id": number, **own, "at": LONG_AGO, "success": True, **device})
        choice = {"purpose": "marketing", "granted": False, "recorded_at": LONG_AGO, "source": "profile"}
        found["consent"].append({"consent_id": number, **own, **choice})
    return found


def _stripe(town: Town) -> None:
    created = int(LONG_AGO.timestamp())
    for number in (CUSTOMER, PROVIDER, OTHER):
        owner = {"metadata": {"account_id": account_id(number)}, "created": created}
        town.market.land_stripe(
            "customer", {"id": f"cus_{number}", "object": "customer", "email": f"person{number}@example.no", **owner}
        )
        town.market.land_stripe("account", {"id": f"acct_{number}", "object": "account", **owner})
        card = {"fingerprint": f"card-{number}", "country": "NO"}
        town.market.land_stripe(
            "payment_method",
            {
                "id": f"pm_{number}",
                "object": "payment_method",
                "customer": f"cus_{number}",
                "type": "card",
                "card": card,
                "created": created,
            },
        )
    for number, customer, provider in ((7, CUSTOMER, PROVIDER), (8, OTHER, PROVIDER)):
        money = {"amount": 123400, "paid": True, "status": "succeeded", "currency": "nok", "created": created}
        billing = {
            "name": f"Navn Navnesen {customer}",
            "address": {"line1": f"Storgata {customer}", "city": "OSLO", "postal_code": "0150"},
        }
        ties = {
            "customer": f"cus_{customer}",
            "transfer_data": {"destination": f"acct_{provider}"},
            "payment_intent": f"pi_{number}",
        }
        charge = {"id": f"ch_{number}", "object": "charge", "billing_details": billing, **money, **ties}
        town.market.land_stripe(
            "charge", {**charge, "metadata": {"booking_id": str(number), "account_id": account_id(customer)}}
        )
        town.market.land_stripe(
            "transfer",
            {
                "id": f"tr_{number}",
                "object": "transfer",
                "amount": 100,
                "created": created,
                "destination": f"acct_{provider}",
            },
        )


def events() -> list[dict[str, Any]]:
    """Searches with and without an account, from a cookie of one's own and from a shared one, and looks at a profile."""
    found: list[dict[str, Any]] = []

    def add(user: int | None, cookie: str, **properties: Any) -> None:
        named = {"userId": account_id(user)} if user else {}
        found.append(
            {**EVENT, **named, "anonymousId": cookie, "messageId": f"event-{len(found)}", "properties": properties}
        )

    add(CUSTOMER, "cookie-of-1", postal_code="0150", results=[account_id(PROVIDER), account_id(OTHER)])
    add(None, "cookie-of-1", postal_code="0150")
    add(CUSTOMER, "cookie-of-1-and-3", postal_code="5003")
    add(OTHER, "cookie-of-1-and-3", postal_code="5003")
    add(PROVIDER, "cookie-of-2", postal_code="0150")
    add(OTHER, "cookie-of-3", provider_id=account_id(PROVIDER))
    add(None, "cookie-of-nobody", provider_id=account_id(PROVIDER))
    return [{**event, "event": "Provider Viewed"} if "provider_id" in event["properties"] else event for event in found]


def _models(town: Town) -> None:
    """Tables as models make them: a row about one, a row that mentions another, a text, a list, a kept name."""
    workspace = town.market.workspace
    with workspace.connect() as con, open_purpose(con, workspace, "accounting"):
        con.execute("CREATE SCHEMA purpose.marts")
        con.execute(
            """
            CREATE TABLE purpose.marts.fct_payment AS
            SELECT charge_id, customer_id, provider_id, billing_name AS payer FROM purpose.src.stripe__charge
            """
        )
    with workspace.connect() as con, open_purpose(con, workspace, "fraud"):
        con.execute("CREATE SCHEMA purpose.marts")
        con.execute("""
            CREATE TABLE purpose.marts.fct_rule_hit AS
            SELECT 'CHT01' AS rule_code, sender_id AS account_id, recipient_id AS counterpart_id, 0.9 AS value,
                'with ' || recipient_id || ' and ' || sender_id AS remark, [sender_id, recipient_id] AS pair
            FROM purpose.src.app_db__message
        """)


def take_models_away(town: Town) -> None:
    """In a whole run the models are built anew after the sweep; here nobody builds them."""
    workspace = town.market.workspace
    for purpose in ("accounting", "fraud"):
        with workspace.connect() as con, open_purpose(con, workspace, purpose):
            con.execute("DROP SCHEMA purpose.marts CASCADE")


def ask_access(town: Town, number: int, *, verified: bool = True, withdrawn: bool = False) -> int:
    request = town.ask(number, verified=verified, withdrawn=withdrawn)
    town.sql("update app.privacy_request set kind = 'access' where privacy_request_id = %s", [request])
    return request


def give(town: Town, request: int, **sources: Any) -> tuple[WrittenExport, Export]:
    where = Sources(**{"dsn": town.dsn, "stripe": None, "events_root": None, **sources})
    found = require_request(town.dsn, request, "access")
    return export_person(town.market.workspace, town.market.policy, where, found)


def counts(tables: list[RowTable]) -> dict[str, int]:
    return {table.name: len(table.rows) for table in tables}


def names_of(town: Town, number: int) -> set[str]:
    """Everything that one person goes by, to the app, to Stripe, to the events and to every purpose."""
    workspace, known = town.market.workspace, set[str]()
    with workspace.connect() as con, open_vault(con, workspace, read_only=True):
        for purpose in town.market.policy.purposes:
            prepare_session(con, workspace, purpose)
            for kind, value in (("account", account_id(number)), ("anonymous", f"cookie-of-{number}")):
                rows = con.execute(
                    "SELECT CAST(purpose_hmac(secret) AS VARCHAR) FROM vault.subject JOIN vault.alias USING (subject_id) "
                    "WHERE alias_hash = alias_hash(?, ?)",
                    [kind, value],
                ).fetchall()
                known |= {row[0] for row in rows}
    plain = {account_id(number), f"Navnesen {number}", f"person{number}@example.no", f"+47 400 00 {number:03d}"}
    plain |= {f"cus_{number}", f"acct_{number}", f"Tilbyder {number}", f"0101019000{number}", f"cookie-of-{number}"}
    return known | plain | {f"Storgata {number}", f"192.0.2.{number}", f"dev-{number}"}


def certificate(home: Path) -> Mapping[str, Any]:
    newest = max((home / "certificates").glob("0*.json"))
    content: Mapping[str, Any] = json.loads(newest.read_text())["certificate"]
    return content


@pytest.fixture
def filled(town: Town) -> Town:
    return full_town(town)
