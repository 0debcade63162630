"""The catalogue of Stripe's object types: how each is listed, fetched again, and known to have changed.

A new type is a new entry. Paths and parameters are those of API version 2026-10-28.endive.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from storage import LeiiError


class Owner(Enum):
    """Whose objects of a type are read."""

    PLATFORM = "the platform's"
    BOTH = "the platform's and every connected account's, under the header Stripe-Account"
    PARENT = "those below each connected account, under its path"


@dataclass(frozen=True, kw_only=True)
class Nested:
    """A type whose objects stand in a list inside their parent; asked for only where that list is not complete."""

    parent: str
    list_field: str  # in the parent
    parent_field: str  # in the object: the parent's id
    total_field: str | None = None  # in the parent: what the `amount` of all of them adds up to


@dataclass(frozen=True, kw_only=True)
class StripeType:
    """One type.

    `name`: as in an object's `object` field.
    `path`: its list; one object stands at `path`/{id}. {parent} is the id of the object above it.
    `by_created`: the list takes `created`, so it can be resumed, and read from a moment on.
    `has_events`: Stripe sends an event for every change; otherwise it is read again as far back as `look_back`.
    `is_deletable`: an object can leave the list for good.
    `changes_with_it`: fields with the ids of objects that change along without an event of their own, and their type.
    `list_parameters`: what every list request carries.
    """

    name: str
    path: str
    owner: Owner = Owner.PLATFORM
    nested: Nested | None = None
    by_created: bool = True
    has_events: bool = True
    look_back: timedelta = timedelta(0)
    is_deletable: bool = False
    changes_with_it: tuple[tuple[str, str], ...] = ()
    list_parameters: tuple[tuple[str, str], ...] = ()

    @property
    def table(self) -> str:
        """The landed table's name."""
        return self.name.replace(".", "_")


TO_CHARGE = (("charge", "charge"),)

STRIPE_TYPES: tuple[StripeType, ...] = (
    StripeType(name="account", path="/v1/accounts", is_deletable=True),
    StripeType(
        name="bank_account",
        path="/v1/accounts/{parent}/external_accounts",
        nested=Nested(parent="account", list_field="external_accounts", parent_field="account"),
        by_created=False,
        is_deletable=True,
        list_parameters=(("object", "bank_account"),),
    ),
    StripeType(
        name="card",
        path="/v1/accounts/{parent}/external_accounts",
        nested=Nested(parent="account", list_field="external_accounts", parent_field="account"),
        by_created=False,
        is_deletable=True,
        list_parameters=(("object", "card"),),
    ),
    StripeType(
        name="person",
        path="/v1/accounts/{parent}/persons",
        owner=Owner.PARENT,
        by_created=False,
        is_deletable=True,
    ),
    StripeType(name="customer", path="/v1/customers", is_deletable=True),
    StripeType(name="payment_method", path="/v1/payment_methods", by_created=False),
    StripeType(name="payment_intent", path="/v1/payment_intents"),
    StripeType(name="charge", path="/v1/charges"),
    StripeType(name="refund", path="/v1/refunds", changes_with_it=TO_CHARGE),
    StripeType(name="dispute", path="/v1/disputes", changes_with_it=TO_CHARGE),
    StripeType(name="transfer", path="/v1/transfers"),
    StripeType(
        name="transfer_reversal",
        path="/v1/transfers/{parent}/reversals",
        nested=Nested(
            parent="transfer", list_field="reversals", parent_field="transfer", total_field="amount_reversed"
        ),
    ),
    StripeType(name="application_fee", path="/v1/application_fees"),
    StripeType(
        name="fee_refund",
        path="/v1/application_fees/{parent}/refunds",
        nested=Nested(
            parent="application_fee", list_field="refunds", parent_field="fee", total_field="amount_refunded"
        ),
    ),
    StripeType(
        name="balance_transaction",
        path="/v1/balance_transactions",
        owner=Owner.BOTH,
        has_events=False,
        look_back=timedelta(days=7),  # pending until then
    ),
    StripeType(name="payout", path="/v1/payouts", owner=Owner.BOTH),
    StripeType(
        name="radar.early_fraud_warning",
        path="/v1/radar/early_fraud_warnings",
        changes_with_it=TO_CHARGE,
    ),
    StripeType(name="review", path="/v1/reviews", changes_with_it=TO_CHARGE),
    StripeType(name="identity.verification_session", path="/v1/identity/verification_sessions"),
)
BY_NAME = {entry.name: entry for entry in STRIPE_TYPES}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What is read together: a type with a list of its own, and those of its nested types that are wanted."""

    root: StripeType
    nested: tuple[StripeType, ...]
    wants_root: bool

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that it lands."""
        return (
            *((self.root.table,) if self.wants_root else ()),
            *(entry.table for entry in self.nested),
        )


def readings(types: Sequence[str] | None) -> tuple[Reading, ...]:
    """What to read for these types (None: all), by Stripe's names or the tables'. Raises LeiiError for others."""
    known = {name: entry for entry in STRIPE_TYPES for name in (entry.name, entry.table)}
    unknown = sorted(set(types or ()) - set(known))
    if unknown:
        raise LeiiError(f"no such Stripe type: {', '.join(unknown)}. There are {', '.join(sorted(BY_NAME))}")
    wanted = {known[name].name for name in types} if types is not None else set(BY_NAME)
    found = []
    for root in STRIPE_TYPES:
        if root.nested is not None:
            continue
        nested = tuple(
            entry
            for entry in STRIPE_TYPES
            if entry.nested and entry.nested.parent == root.name and entry.name in wanted
        )
        if root.name in wanted or nested:
            found.append(Reading(root=root, nested=nested, wants_root=root.name in wanted))
    return tuple(found)
