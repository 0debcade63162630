"""Reads every object of a type once, newest first, in portions after each of which it can be resumed."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any

from ingestion.stripe_client import RefusalError, StripeApi
from ingestion.stripe_cursors import Position, finished
from ingestion.stripe_lists import Object, Rows, add_with_nested, list_type
from ingestion.stripe_objects import BY_NAME, Owner, Reading

PORTION_ROWS = 5000
PORTION_ACCOUNTS = 100


@dataclass(frozen=True, kw_only=True)
class Account:
    """A connected account: its id and when it was created (epoch seconds)."""

    account_id: str
    created: int


@dataclass(frozen=True, kw_only=True)
class Portion:
    """Rows to land, and the position that holds once they are; None: the old one still does.

    `keys`: with the last portion, the complete ids of tables whose vanished rows are to be found.
    `unreadable`: how many connected accounts the key could not read (any more).
    """

    reading: Reading
    rows: Rows
    position: Position | None
    keys: dict[str, set[str]] = field(default_factory=dict)
    unreadable: int = 0


def read_accounts(api: StripeApi) -> list[Account]:
    """Every connected account, newest first. Raises RefusalError."""
    pages = list_type(api, BY_NAME["account"])
    return [Account(account_id=value["id"], created=value.get("created") or 0) for page in pages for value in page]


def backfill(
    api: StripeApi,
    pool: Executor,
    reading: Reading,
    accounts: Sequence[Account],
    position: Position,
) -> Iterator[Portion]:
    """Everything that `position` leaves, in portions; the last one carries the finished position."""
    keys: dict[str, set[str]] = {table: set() for table in _deletable_tables(reading)} if position.again else {}
    held = Portion(reading=reading, rows=Rows(), position=position)
    unreadable = 0
    for portion in _portions(api, pool, reading, accounts, position):
        if len(held.rows):
            yield held
        held = portion
        unreadable += portion.unreadable
        for table, ids in keys.items():
            ids |= portion.rows.ids(table)
    assert held.position is not None
    complete_keys = {} if unreadable else keys
    yield replace(
        held,
        position=finished(held.position),
        keys=complete_keys,
        unreadable=unreadable,
    )


def of_account(
    api: StripeApi,
    reading: Reading,
    account_id: str,
    parameters: Mapping[str, Any] | None = None,
) -> list[Object] | None:
    """One connected account's objects; None if the key can no longer read that account."""
    entry = reading.root
    below = entry.owner is Owner.PARENT
    account, parent = (None, account_id) if below else (account_id, None)
    try:
        pages = list_type(api, entry, account=account, parent=parent, parameters=parameters)
        return [value for page in pages for value in page]
    except RefusalError as refusal:
        if refusal.is_gone:
            return None
        raise


def _portions(
    api: StripeApi,
    pool: Executor,
    reading: Reading,
    accounts: Sequence[Account],
    position: Position,
) -> Iterator[Portion]:
    if reading.root.owner is not Owner.PARENT and not position.platform_done:
        for portion in _platform(api, reading, position):
            assert portion.position is not None
            position = portion.position
            yield portion
    if reading.root.owner is not Owner.PLATFORM:
        yield from _connected(api, pool, reading, accounts, position)


def _platform(api: StripeApi, reading: Reading, position: Position) -> Iterator[Portion]:
    """The platform's own objects. Lists that do not know `created` cannot be resumed and are read in one go."""
    until = {} if position.below is None else {"created": {"lte": position.below}}
    rows = Rows()
    for page in list_type(api, reading.root, parameters=until):
        for value in page:
            add_with_nested(api, rows, reading, value, None)
        if len(rows) >= PORTION_ROWS:
            if reading.root.by_created:
                position = replace(position, below=page[-1]["created"])
            yield Portion(reading=reading, rows=rows, position=position)
            rows = Rows()
    yield Portion(
        reading=reading,
        rows=rows,
        position=replace(position, below=None, platform_done=True),
    )


def _connected(
    api: StripeApi,
    pool: Executor,
    reading: Reading,
    accounts: Sequence[Account],
    position: Position,
) -> Iterator[Portion]:
    """The connected accounts' objects, some accounts at a time."""
    left = [one for one in accounts if position.accounts_below is None or one.created <= position.accounts_below]
    for first in range(0, len(left), PORTION_ACCOUNTS):
        group = left[first : first + PORTION_ACCOUNTS]
        rows, unreadable = Rows(), 0
        answers = pool.map(lambda one: of_account(api, reading, one.account_id), group)
        for account, values in zip(group, answers, strict=True):
            unreadable += values is None
            for value in values or ():
                add_with_nested(api, rows, reading, value, account.account_id)
        position = replace(position, accounts_below=group[-1].created)
        yield Portion(reading=reading, rows=rows, position=position, unreadable=unreadable)


def _deletable_tables(reading: Reading) -> list[str]:
    entries = [*([reading.root] if reading.wants_root else []), *reading.nested]
    return [entry.table for entry in entries if entry.is_deletable]
