"""What Stripe has about a person, asked for by the ids that the app keeps of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ingestion.stripe_client import RefusalError, StripeApi, get
from ingestion.stripe_lists import list_pages
from ingestion.stripe_objects import BY_NAME

Found = dict[str, list[dict[str, Any]]]

_OF_CUSTOMER = ("payment_method", "payment_intent", "charge")
_OF_CHARGE = ("refund", "dispute", "radar.early_fraud_warning")
_OF_ACCOUNT = ("payout", "balance_transaction")
_SESSION = "identity.verification_session"


@dataclass(frozen=True, kw_only=True)
class StripeRows:
    """Objects by table, each with the connected account that it was read of as `account`, as landing has it.

    `unread`: why objects of a type are missing.
    """

    tables: Found = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


def read_stripe_rows(api: StripeApi, customers: Iterable[str], accounts: Iterable[str], account_id: str) -> StripeRows:
    """Every object of these customers and connected accounts; one that Stripe no longer has is no gap."""
    rows = StripeRows()
    for customer in sorted(customers):
        _note(rows, "customer", partial(_one, api, f"/v1/customers/{customer}"))
        for name in _OF_CUSTOMER:
            _list(api, rows, name, {"customer": customer})
        _list(api, rows, _SESSION, {"related_customer": customer})
    for charge in [one["id"] for one in rows.tables.get("charge", [])]:
        for name in _OF_CHARGE:
            _list(api, rows, name, {"charge": charge})
    for account in sorted(accounts):
        _note(rows, "account", partial(_one, api, f"/v1/accounts/{account}"))
        _note(rows, "person", partial(_all, api, f"/v1/accounts/{account}/persons", {}), account)
        _list(api, rows, "transfer", {"destination": account})
        for name in _OF_ACCOUNT:
            _list(api, rows, name, {}, account)
    _note(rows, "identity_verification_session", lambda: list(_sessions_of(api, account_id)))
    return rows


def _list(
    api: StripeApi, rows: StripeRows, name: str, parameters: Mapping[str, str], account: str | None = None
) -> None:
    entry = BY_NAME[name]
    _note(rows, entry.table, lambda: _all(api, entry.path, parameters, account), account)


def _one(api: StripeApi, path: str) -> list[dict[str, Any]]:
    return [get(api, path)]


def _all(api: StripeApi, path: str, parameters: Mapping[str, str], account: str | None = None) -> list[dict[str, Any]]:
    return [value for page in list_pages(api, path, account=account, parameters=parameters) for value in page]


def _sessions_of(api: StripeApi, account_id: str) -> Iterator[dict[str, Any]]:
    """Stripe finds no verification by the app's account, which stands in its metadata only: all are looked through."""
    for page in list_pages(api, BY_NAME[_SESSION].path):
        yield from (one for one in page if (one.get("metadata") or {}).get("account_id") == account_id)


def _note(rows: StripeRows, table: str, ask: Callable[[], list[dict[str, Any]]], account: str | None = None) -> None:
    """Add what is answered, once an object; or why there is no answer."""
    try:
        answered = ask()
    except RefusalError as refusal:
        if not refusal.is_gone:
            rows.unread[table] = str(refusal)
        return
    known = rows.tables.setdefault(table, [])
    there = {one["id"] for one in known}
    beside = {"account": account} if account else {}
    known.extend({**one, **beside} for one in answered if one["id"] not in there and not one.get("deleted"))
