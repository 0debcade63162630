"""Reads every object of a type once, newest first, in portions after each of which it can be resumed."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any

from ingestion.stripe_client import RefusalError, StripeApi, endpoint_of
from ingestion.stripe_cursors import Position, Window, finished
from ingestion.stripe_lists import PAGE_SIZE, Object, Rows, add_with_nested, list_type, oldest_created
from ingestion.stripe_objects import BY_NAME, Owner, Reading

PORTION_ROWS = 5000
PORTION_ACCOUNTS = 100
WINDOW_DAYS = (60, 180, 365, 540)
"""How old what a window holds is at least, and at most; the newest and the oldest are open."""

ACCOUNTS_AHEAD = 400
"""How many accounts are asked for before their answers are needed, while the platform's own objects are read."""


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
    accounts: Callable[[], Sequence[Account]],
    position: Position,
) -> Iterator[Portion]:
    """Everything that `position` leaves, in portions; the last one carries the finished position.

    `accounts` waits until they are known. Raises RefusalError.
    """
    keys: dict[str, set[str]] = {table: set() for table in _deletable_tables(reading)} if position.again else {}
    held = Portion(reading=reading, rows=Rows(), position=position)
    unreadable = 0
    for portion in _portions(api, pool, reading, accounts(), position):
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
    left = [one for one in accounts if position.accounts_below is None or one.created <= position.accounts_below]
    has_accounts = reading.root.owner is not Owner.PLATFORM
    answers = _asked_ahead(api, pool, reading, left) if has_accounts else iter(())
    if reading.root.owner is not Owner.PARENT and position.windows:
        with ThreadPoolExecutor(len(WINDOW_DAYS) + 1, "stripe-windows") as windows:
            for portion in _platform(api, windows, reading, position):
                assert portion.position is not None
                position = portion.position
                yield portion
    if has_accounts:
        yield from _connected(answers, reading, left, position)


def _platform(api: StripeApi, pool: Executor, reading: Reading, position: Position) -> Iterator[Portion]:
    """The platform's own objects, in windows of `created` side by side, as a list's pages come one after another.

    Lists that do not know `created` cannot be resumed and are read in one go.
    """
    by_created = reading.root.by_created
    rows = Rows()
    windows = position.windows
    if by_created and windows == ((None, None),):
        newest = next(list_type(api, reading.root), [])
        for value in newest:
            add_with_nested(api, rows, reading, value, None)
        is_short = len(newest) < PAGE_SIZE and not api.unreadable.has_met(endpoint_of(reading.root.path))
        if not newest or is_short:
            windows = ()
        elif (until := oldest_created(newest)) is not None:
            windows = _older_windows(position, until)
    left = dict(enumerate(windows))
    chains = {number: list_type(api, reading.root, parameters=_within(window)) for number, window in left.items()}
    asked = {pool.submit(next, chain, None): number for number, chain in chains.items()}
    while asked:
        answered, _ = wait(asked, return_when=FIRST_COMPLETED)
        for future in answered:
            number, page = asked.pop(future), future.result()
            if page is None:
                del left[number]
                continue
            asked[pool.submit(next, chains[number], None)] = number
            for value in page:
                add_with_nested(api, rows, reading, value, None)
            if by_created and (until := oldest_created(page)) is not None:
                left[number] = (left[number][0], until)
        if len(rows) >= PORTION_ROWS and asked:
            position = replace(position, windows=tuple(left.values())) if by_created else position
            yield Portion(reading=reading, rows=rows, position=position)
            rows = Rows()
    yield Portion(reading=reading, rows=rows, position=replace(position, windows=()))


def _older_windows(position: Position, until: int) -> tuple[Window, ...]:
    """The windows of WINDOW_DAYS, as far as they hold what was created at `until` or before."""
    began = int(datetime.fromisoformat(position.as_of).timestamp())
    ends = [end for days in WINDOW_DAYS if (end := began - days * 86_400) <= until]
    return tuple(zip([*ends, None], [until, *(end - 1 for end in ends)], strict=True))


def _within(window: Window) -> dict[str, Any]:
    bounds = {name: bound for name, bound in zip(("gte", "lte"), window, strict=True) if bound is not None}
    return {"created": bounds} if bounds else {}


def _rows_of_account(api: StripeApi, reading: Reading, account_id: str) -> Rows | None:
    """What `of_account` gives, as rows: they wait in much less memory than objects do."""
    values = of_account(api, reading, account_id)
    if values is None:
        return None
    rows = Rows()
    for value in values:
        add_with_nested(api, rows, reading, value, account_id)
    return rows


def _asked_ahead(
    api: StripeApi, pool: Executor, reading: Reading, accounts: Sequence[Account]
) -> Iterator[Rows | None]:
    """Each account's rows, in order; the first ACCOUNTS_AHEAD are asked for right away."""
    begun = deque(pool.submit(_rows_of_account, api, reading, one.account_id) for one in accounts[:ACCOUNTS_AHEAD])

    def answers() -> Iterator[Rows | None]:
        for position in range(len(accounts)):
            answer = begun.popleft().result()
            if position + ACCOUNTS_AHEAD < len(accounts):
                following = accounts[position + ACCOUNTS_AHEAD].account_id
                begun.append(pool.submit(_rows_of_account, api, reading, following))
            yield answer

    return answers()


def _connected(
    answers: Iterator[Rows | None],
    reading: Reading,
    accounts: Sequence[Account],
    position: Position,
) -> Iterator[Portion]:
    """The connected accounts' objects, some accounts at a time. `answers`: theirs, in their order."""
    for first in range(0, len(accounts), PORTION_ACCOUNTS):
        group = accounts[first : first + PORTION_ACCOUNTS]
        rows, unreadable = Rows(), 0
        for answer in islice(answers, len(group)):
            unreadable += answer is None
            rows.update(answer or Rows())
        position = replace(position, accounts_below=group[-1].created)
        yield Portion(reading=reading, rows=rows, position=position, unreadable=unreadable)


def _deletable_tables(reading: Reading) -> list[str]:
    entries = [*([reading.root] if reading.wants_root else []), *reading.nested]
    return [entry.table for entry in entries if entry.is_deletable]
