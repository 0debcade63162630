"""What Stripe's events say has changed: which objects, never how. An event shows its object as it once was, in the API
version of that day, twice or out of order; so only the ids are taken from it, and the objects are fetched again."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from ingestion.stripe_backfill import Account
from ingestion.stripe_client import RefusalError, StripeApi
from ingestion.stripe_cursors import OVERLAP_SECONDS, Position
from ingestion.stripe_lists import Object, list_pages
from ingestion.stripe_objects import BY_NAME, Nested, Owner, Reading, StripeType

EVENTS_PATH = "/v1/events"


@dataclass(frozen=True, kw_only=True)
class Touched:
    """An object to be fetched again. `account`: the connected account whose object it is."""

    name: str
    object_id: str
    account: str | None


@dataclass(frozen=True, kw_only=True)
class Change:
    """What one event touched. `key`: a hash of the event's id. `nested`: the object below the first of `touched`."""

    key: str
    created: int
    account: str | None
    touched: tuple[Touched, ...]
    nested: Touched | None = None
    destination: str | None = None


def newest_event(api: StripeApi) -> int:
    """When the platform's newest event was created (epoch seconds), or 0 if it has none. Raises RefusalError."""
    first = next(list_pages(api, EVENTS_PATH), [])
    return max((event["created"] for event in first), default=0)


def read_changes(api: StripeApi, since: int) -> dict[str, Change]:
    """The platform's events created at or after `since`, each once, by their hash. Raises RefusalError."""
    return _distinct(_changes_of(api, since, None))


def read_account_changes(api: StripeApi, pool: Executor, accounts: Sequence[Account], since: int) -> dict[str, Change]:
    """The same for the connected accounts, whose events stand in lists of their own."""
    found: dict[str, Change] = {}
    for changes in pool.map(lambda one: _of_account(api, since, one.account_id), accounts):
        found.update(changes)
    return found


def touched_by(changes: Iterable[Change], reading: Reading, position: Position) -> tuple[set[Touched], set[Touched]]:
    """What a reading must fetch again since its position: its own objects, and those nested below them."""
    own: set[Touched] = set()
    nested: set[Touched] = set()
    seen = set(position.seen)
    names = {entry.name for entry in reading.nested}
    for change in changes:
        if change.created < position.events_since or change.key in seen:
            continue
        own.update(one for one in change.touched if one.name == reading.root.name)
        if change.nested is not None and change.nested.name in names:
            nested.add(change.nested)
    return own, nested


def seen_keys(changes: Iterable[Change], reading: Reading, events_to: int) -> tuple[str, ...]:
    """The events that the next pass will meet again, as far as they concern this reading."""
    return tuple(
        sorted(
            change.key
            for change in changes
            if change.created >= events_to - OVERLAP_SECONDS
            and any(one.name == reading.root.name for one in change.touched)
        )
    )


def _of_account(api: StripeApi, since: int, account_id: str) -> dict[str, Change]:
    try:
        return _distinct(_changes_of(api, since, account_id))
    except RefusalError as refusal:
        if refusal.is_gone:
            return {}
        raise


def _changes_of(api: StripeApi, since: int, account: str | None) -> Iterator[Change]:
    for page in list_pages(api, EVENTS_PATH, account=account, parameters={"created": {"gte": since}}):
        for event in page:
            yield _change(event, account)


def _distinct(changes: Iterable[Change]) -> dict[str, Change]:
    return {change.key: change for change in changes}


def _change(event: Object, listed_for: str | None) -> Change:
    value: Object = (event.get("data") or {}).get("object") or {}
    account = event.get("account") or listed_for
    key = blake2b(str(event["id"]).encode(), digest_size=8).hexdigest()
    touched, nested = _touched(str(event.get("type") or ""), value, account)
    destination = value.get("destination") if value.get("object") == "transfer" else None
    return Change(
        key=key,
        created=int(event["created"]),
        account=account,
        touched=touched,
        nested=nested,
        destination=_id(destination),
    )


def _touched(kind: str, value: Object, account: str | None) -> tuple[tuple[Touched, ...], Touched | None]:
    if kind.startswith("account.application.") and account:
        # The object is the application; what changed is that the account came or went.
        return (Touched(name="account", object_id=account, account=None),), None
    entry = BY_NAME.get(str(value.get("object")))
    object_id = _id(value)
    if entry is None or object_id is None:
        return (), None
    owner = _owner(entry, value, account)
    if entry.nested is not None:
        return _nested(entry, entry.nested, value, object_id, account)
    if entry.owner is Owner.PLATFORM and account is not None and entry.name != "account":
        return (
            (),
            None,
        )  # the connected account's own customers and charges, which are not Leii's
    if entry.owner is Owner.PARENT and owner is None:
        return (), None
    linked = ((name, _id(value.get(column))) for column, name in entry.changes_with_it)
    along = tuple(Touched(name=name, object_id=other, account=None) for name, other in linked if other)
    return (Touched(name=entry.name, object_id=object_id, account=owner), *along), None


def _nested(
    entry: StripeType,
    nested: Nested,
    value: Object,
    object_id: str,
    account: str | None,
) -> tuple[tuple[Touched, ...], Touched | None]:
    parent_id = _id(value.get(nested.parent_field)) or (account if nested.parent == "account" else None)
    if parent_id is None:
        return (), None
    owner = parent_id if nested.parent == "account" else None
    parent = Touched(name=nested.parent, object_id=parent_id, account=None)
    return (parent,), Touched(name=entry.name, object_id=object_id, account=owner)


def _owner(entry: StripeType, value: Object, account: str | None) -> str | None:
    if entry.owner is Owner.PARENT:
        return account or _id(value.get("account"))
    return account if entry.owner is Owner.BOTH else None


def _id(value: Any) -> str | None:
    """The id of a field that holds one, expanded or not."""
    if isinstance(value, dict):
        value = value.get("id")
    return value if isinstance(value, str) and value else None
