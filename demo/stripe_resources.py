"""What the double of Stripe's API offers: the endpoints with their filters, and the fields that can be expanded.

Paths, parameters and expandable fields are those of the `stripe` package 16.x (API version 2026-10-28.endive).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

API_VERSION = "2026-10-28.endive"

# Keys of a line that steer the double and are no part of the object: stripped from every answer.
OWNER_KEY = "_account"  # the connected account that the object belongs to
PAYOUT_KEY = "_payout"  # on a balance transaction: the automatic payout that paid it out
STEERING_KEYS = (OWNER_KEY, PAYOUT_KEY)

# These have no `created` in Stripe's shapes; a list of them goes by the order of the lines.
UNDATED_TYPES = frozenset({"bank_account", "card", "mandate"})

# Answers one level below an account: reached through the account's path whoever owns them.
ACCOUNT_PARTS = frozenset({"person", "bank_account", "card"})


@dataclass(frozen=True, kw_only=True)
class Parent:
    """The object in the middle of a path such as /v1/transfers/{id}/reversals."""

    type: str
    column: str  # the field of the listed objects that holds the parent's id


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A list at `path` and a retrieve at `path`/{id}."""

    path: str
    types: tuple[str, ...]
    filters: tuple[str, ...] = ()  # equality on a top-level text field of the same name
    ranges: tuple[str, ...] = ("created",)  # epoch seconds: a number, or gt, gte, lt, lte
    unsupported: tuple[str, ...] = ()  # real parameters that the double refuses
    parent: Parent | None = None
    label: str = ""  # as Stripe names the object in "No such …"


ENDPOINTS = (
    Endpoint(path="/v1/accounts", types=("account",), label="account"),
    Endpoint(
        path="/v1/accounts/{parent}/persons",
        types=("person",),
        ranges=(),
        unsupported=("relationship",),
        parent=Parent(type="account", column="account"),
        label="person",
    ),
    Endpoint(
        path="/v1/accounts/{parent}/external_accounts",
        types=("bank_account", "card"),
        filters=("object",),
        ranges=(),
        parent=Parent(type="account", column="account"),
        label="external account",
    ),
    Endpoint(path="/v1/customers", types=("customer",), filters=("email", "test_clock"), label="customer"),
    Endpoint(
        path="/v1/customers/{parent}/payment_methods",
        types=("payment_method",),
        filters=("allow_redisplay", "type"),
        ranges=(),
        parent=Parent(type="customer", column="customer"),
        label="PaymentMethod",
    ),
    Endpoint(
        path="/v1/payment_methods",
        types=("payment_method",),
        filters=("allow_redisplay", "customer", "customer_account", "type"),
        ranges=(),
        label="PaymentMethod",
    ),
    Endpoint(
        path="/v1/payment_intents",
        types=("payment_intent",),
        filters=("customer", "customer_account"),
        label="payment_intent",
    ),
    Endpoint(
        path="/v1/charges", types=("charge",), filters=("customer", "payment_intent", "transfer_group"), label="charge"
    ),
    Endpoint(
        path="/v1/charges/{parent}/refunds",
        types=("refund",),
        ranges=(),
        parent=Parent(type="charge", column="charge"),
        label="refund",
    ),
    Endpoint(path="/v1/refunds", types=("refund",), filters=("charge", "payment_intent"), label="refund"),
    Endpoint(path="/v1/disputes", types=("dispute",), filters=("charge", "payment_intent"), label="dispute"),
    Endpoint(path="/v1/transfers", types=("transfer",), filters=("destination", "transfer_group"), label="transfer"),
    Endpoint(
        path="/v1/transfers/{parent}/reversals",
        types=("transfer_reversal",),
        ranges=(),
        parent=Parent(type="transfer", column="transfer"),
        label="transfer reversal",
    ),
    Endpoint(path="/v1/application_fees", types=("application_fee",), filters=("charge",), label="application fee"),
    Endpoint(
        path="/v1/application_fees/{parent}/refunds",
        types=("fee_refund",),
        ranges=(),
        parent=Parent(type="application_fee", column="fee"),
        label="fee refund",
    ),
    Endpoint(
        path="/v1/balance_transactions",
        types=("balance_transaction",),
        filters=("currency", "payout", "source", "type"),
        label="balance transaction",
    ),
    Endpoint(
        path="/v1/payouts",
        types=("payout",),
        filters=("destination", "status"),
        ranges=("created", "arrival_date"),
        label="payout",
    ),
    Endpoint(path="/v1/topups", types=("topup",), filters=("status",), ranges=("created", "amount"), label="topup"),
    Endpoint(
        path="/v1/radar/early_fraud_warnings",
        types=("radar.early_fraud_warning",),
        filters=("charge", "payment_intent"),
        label="early fraud warning",
    ),
    Endpoint(path="/v1/reviews", types=("review",), label="review"),
    Endpoint(
        path="/v1/identity/verification_sessions",
        types=("identity.verification_session",),
        filters=("client_reference_id", "related_customer", "related_customer_account", "status"),
        label="verification session",
    ),
    Endpoint(
        path="/v1/events", types=("event",), filters=("type", "types"), unsupported=("delivery_success",), label="event"
    ),
)

# A filter by one of these names an object that must exist, as with Stripe; the parameter is the type's name.
REFERENCE_FILTERS = frozenset({"charge", "customer", "payment_intent", "payout"})


def column_of(type_name: str, parameter: str) -> str:
    """The key of a line that a filter compares: the parameter's own name, but for what Stripe keeps to itself."""
    if type_name == "balance_transaction" and parameter == "payout":
        return PAYOUT_KEY
    return "type" if parameter == "types" else parameter


def _text_columns() -> dict[str, tuple[str, ...]]:
    columns: dict[str, set[str]] = {}
    for endpoint in ENDPOINTS:
        for type_name in endpoint.types:
            wanted = columns.setdefault(type_name, set())
            wanted.update(column_of(type_name, parameter) for parameter in endpoint.filters)
            if endpoint.parent is not None:
                wanted.add(endpoint.parent.column)
    return {type_name: tuple(sorted(wanted)) for type_name, wanted in columns.items()}


# By type: the text fields that its lists filter on, and so what the index keeps of them.
TEXT_COLUMNS: Mapping[str, tuple[str, ...]] = _text_columns()
RANGE_COLUMNS: Mapping[str, tuple[str, ...]] = {
    type_name: tuple(name for name in endpoint.ranges if name != "created")
    for endpoint in ENDPOINTS
    if len(endpoint.ranges) > 1
    for type_name in endpoint.types
}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What `expand` may name in an object: fields that hold an id, and lists of objects."""

    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # dotted path -> types it can point at
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # dotted path -> types in the list
    included: frozenset[str] = frozenset()  # lists that come only when asked for


_TRANSACTION_SOURCES = (
    "application_fee",
    "charge",
    "dispute",
    "fee_refund",
    "payout",
    "refund",
    "topup",
    "transfer",
    "transfer_reversal",
)
_BALANCE = ("balance_transaction",)
_EXTERNAL = ("bank_account", "card")

SHAPES: Mapping[str, Shape] = {
    "account": Shape(lists={"external_accounts": _EXTERNAL}),
    "application_fee": Shape(
        fields={
            "account": ("account",),
            "application": ("application",),
            "balance_transaction": _BALANCE,
            "charge": ("charge",),
            "originating_transaction": ("charge",),
        },
        lists={"refunds": ("fee_refund",)},
    ),
    "balance_transaction": Shape(fields={"source": _TRANSACTION_SOURCES}),
    "bank_account": Shape(fields={"account": ("account",), "customer": ("customer",)}),
    "card": Shape(fields={"account": ("account",), "customer": ("customer",)}),
    "charge": Shape(
        fields={
            "application": ("application",),
            "application_fee": ("application_fee",),
            "balance_transaction": _BALANCE,
            "customer": ("customer",),
            "failure_balance_transaction": _BALANCE,
            "on_behalf_of": ("account",),
            "payment_intent": ("payment_intent",),
            "review": ("review",),
            "source_transfer": ("transfer",),
            "transfer": ("transfer",),
            "transfer_data.destination": ("account",),
        },
        lists={"refunds": ("refund",)},
        included=frozenset({"refunds"}),
    ),
    "customer": Shape(
        fields={
            "default_source": ("account", "bank_account", "card", "source"),
            "invoice_settings.default_payment_method": ("payment_method",),
            "test_clock": ("test_helpers.test_clock",),
        }
    ),
    "dispute": Shape(fields={"charge": ("charge",), "payment_intent": ("payment_intent",)}),
    "event": Shape(),
    "fee_refund": Shape(fields={"balance_transaction": _BALANCE, "fee": ("application_fee",)}),
    "identity.verification_session": Shape(
        fields={"last_verification_report": ("identity.verification_report",), "verified_outputs": ()}
    ),
    "payment_intent": Shape(
        fields={
            "application": ("application",),
            "customer": ("customer",),
            "latest_charge": ("charge",),
            "on_behalf_of": ("account",),
            "payment_method": ("payment_method",),
            "payment_record": ("payment_record",),
            "review": ("review",),
            "source": ("account", "bank_account", "card", "source"),
            "transfer_data.destination": ("account",),
        }
    ),
    "payment_method": Shape(fields={"customer": ("customer",)}),
    "payout": Shape(
        fields={
            "application_fee": ("application_fee",),
            "balance_transaction": _BALANCE,
            "destination": _EXTERNAL,
            "failure_balance_transaction": _BALANCE,
            "original_payout": ("payout",),
            "reversed_by": ("payout",),
        }
    ),
    "person": Shape(),
    "radar.early_fraud_warning": Shape(fields={"charge": ("charge",), "payment_intent": ("payment_intent",)}),
    "refund": Shape(
        fields={
            "balance_transaction": _BALANCE,
            "charge": ("charge",),
            "customer": ("customer",),
            "failure_balance_transaction": _BALANCE,
            "payment_intent": ("payment_intent",),
            "payment_method": ("payment_method",),
            "source_transfer_reversal": ("transfer_reversal",),
            "transfer_reversal": ("transfer_reversal",),
        }
    ),
    "review": Shape(fields={"charge": ("charge",), "payment_intent": ("payment_intent",)}),
    "topup": Shape(fields={"balance_transaction": _BALANCE, "payment_method": ("payment_method",)}),
    "transfer": Shape(
        fields={
            "balance_transaction": _BALANCE,
            "destination": ("account",),
            "destination_payment": ("charge",),
            "source_transaction": ("charge",),
        },
        lists={"reversals": ("transfer_reversal",)},
    ),
    "transfer_reversal": Shape(
        fields={
            "balance_transaction": _BALANCE,
            "destination_payment_refund": ("refund",),
            "source_refund": ("refund",),
            "transfer": ("transfer",),
        }
    ),
}
