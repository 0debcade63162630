"""One pass over Stripe: every type read whole once, then only what is new or changed; each type stands for itself."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from queue import Full, Queue
from typing import TypeAlias

import pyarrow as pa

from ingestion.landing import Landing, Write
from ingestion.quarantine import Quarantine
from ingestion.stripe_backfill import Account, Portion, backfill, read_accounts
from ingestion.stripe_client import (
    NETWORK_RETRIES,
    Pacer,
    RefusalError,
    StripeApi,
    endpoint_of,
    open_api,
)
from ingestion.stripe_cursors import (
    OLDEST_CURSOR,
    SOURCE,
    Position,
    as_cursor,
    load,
    oldest_events,
    start,
)
from ingestion.stripe_events import (
    Change,
    newest_event,
    read_account_changes,
    read_changes,
)
from ingestion.stripe_follow import News, busy_accounts, follow, look_back_start
from ingestion.stripe_objects import Owner, Reading, StripeType, readings
from storage import Workspace

# Portions that wait to be landed; each is at most a few thousand rows.
WAITING_PORTIONS = 8
# For each type a pool of its own: requests that wait for their endpoint's turn must not hold up those to another.
ACCOUNT_THREADS = 4
Waiting: TypeAlias = "Queue[tuple[Reading, Portion | None]]"
KEYS_SCHEMA = pa.schema([("id", pa.string())])


@dataclass(frozen=True, kw_only=True)
class TypePull:
    """What came of one table. `requests`: to its own endpoints, retries included. `error`: why it stopped, if so."""

    rows: int
    requests: int
    error: str | None


@dataclass(frozen=True, kw_only=True)
class StripePull:
    """What a pass did, by table; how many objects could not be taken in; and what its reader should know."""

    types: Mapping[str, TypePull]
    quarantined: int = 0
    notes: tuple[str, ...] = ()

    @property
    def errors(self) -> dict[str, str]:
        return {table: pull.error for table, pull in self.types.items() if pull.error is not None}


@dataclass(kw_only=True)
class _Pass:
    """One pass under way: what it reads, from where, and what has come of it."""

    api: StripeApi
    pool: Executor
    landing: Landing
    quarantine: Quarantine
    now: datetime
    follows: dict[Reading, Position] = field(default_factory=dict)
    backfills: dict[Reading, Position] = field(default_factory=dict)
    errors: dict[Reading, str] = field(default_factory=dict)
    rows: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    quarantined: int = 0

    def stop(self, concerned: Sequence[Reading], reason: str) -> None:
        """Leave these out of the pass; their cursors stay where they are."""
        for reading in concerned:
            self.errors.setdefault(reading, reason)
            self.follows.pop(reading, None)
            self.backfills.pop(reading, None)


def pull_stripe(
    workspace: Workspace,
    landing: Landing,
    *,
    api_key: str,
    api_base: str | None,
    types: Sequence[str] | None = None,
    network_retries: int = NETWORK_RETRIES,
    pacer: Pacer | None = None,
) -> StripePull:
    """Land what is new in Stripe. `api_base` None: Stripe itself. `types`: by Stripe's names or the tables', None: all.

    `pacer`: another pace than just below Stripe's limits, to leave more of them to others who use the same account.
    A type that fails is reported in the result and taken up again by the next pass; the others go on.
    Raises LeiiError for an unknown type.
    """
    wanted = readings(types)
    api = open_api(api_key, api_base, retries=network_retries, pacer=pacer)
    with ExitStack() as pools:
        pool = _pool(pools)
        current = _Pass(api=api, pool=pool, landing=landing, quarantine=Quarantine(workspace), now=workspace.now)
        try:
            newest = _newest(current, wanted)
            _plan(current, wanted, newest)
            accounts = _accounts(current)
            news = _news(current, accounts, newest)
            jobs = {
                **{one: follow(api, _pool(pools), one, at, news) for one, at in current.follows.items()},
                **{one: backfill(api, _pool(pools), one, accounts, at) for one, at in current.backfills.items()},
            }
            current.errors.update(_run(api, jobs, lambda portion: _land(current, portion)))
            _set_aside(current)
        finally:
            api.stopping.set()
    return _result(current, wanted)


def _pool(pools: ExitStack) -> Executor:
    return pools.enter_context(ThreadPoolExecutor(ACCOUNT_THREADS, "stripe-objects"))


def _newest(current: _Pass, wanted: Sequence[Reading]) -> int:
    """When the newest event was created. Without it nothing with events can be read: what changes meanwhile is lost."""
    try:
        return newest_event(current.api)
    except RefusalError as refusal:
        concerned = [reading for reading in wanted if reading.root.has_events]
        current.stop(concerned, f"events cannot be read: {refusal}")
        return 0


def _plan(current: _Pass, wanted: Sequence[Reading], newest: int) -> None:
    """Follow what was read whole, resume what was begun, begin what was not, or so long ago that events are gone."""
    too_old: list[str] = []
    for reading in wanted:
        if reading in current.errors:
            continue
        position = load(current.landing, reading)
        if position is None:
            current.backfills[reading] = start(current.now, newest, again=False)
        elif position.is_too_old(current.now):
            too_old.extend(reading.tables)
            current.backfills[reading] = start(current.now, newest, again=True)
        elif position.is_whole:
            current.follows[reading] = position
        else:
            fresh = start(current.now, newest, again=True)
            current.backfills[reading] = fresh if position.again else position
    if too_old:
        days = OLDEST_CURSOR.days
        current.notes.append(
            f"last read more than {days} days ago, and events reach back 30: read whole again: {', '.join(too_old)}"
        )


def _accounts(current: _Pass) -> list[Account]:
    """The connected accounts, if anything needs them."""
    concerned = [one for one in (*current.follows, *current.backfills) if _needs_accounts(one)]
    if not concerned:
        return []
    try:
        return read_accounts(current.api)
    except RefusalError as refusal:
        current.stop(concerned, str(refusal))
        return []


def _news(current: _Pass, accounts: Sequence[Account], newest: int) -> News:
    """The events since the oldest cursor, and the accounts that they and recent transfers name."""
    changes: dict[str, Change] = {}
    watched = [one for one in current.follows if one.root.has_events]
    if watched:
        try:
            changes |= read_changes(current.api, oldest_events([current.follows[one] for one in watched]))
        except RefusalError as refusal:
            current.stop(watched, f"events cannot be read: {refusal}")
    in_accounts = [one for one in current.follows if _needs_accounts(one)]
    if in_accounts:
        try:
            since = oldest_events([current.follows[one] for one in in_accounts])
            changes |= read_account_changes(current.api, current.pool, accounts, since)
        except RefusalError as refusal:
            concerned = [one for one in in_accounts if one.root.has_events]
            current.stop(concerned, f"the connected accounts' events cannot be read: {refusal}")
    busy = _busy(current, changes, accounts)
    return News(
        now=current.now,
        events_to=newest,
        changes=tuple(changes.values()),
        accounts=accounts,
        busy_accounts=busy,
    )


def _busy(current: _Pass, changes: Mapping[str, Change], accounts: Sequence[Account]) -> frozenset[str]:
    unwatched = [one for one in current.follows if one.root.owner is Owner.BOTH and not one.root.has_events]
    if not unwatched:
        return frozenset()
    since = min(look_back_start(one, current.follows[one]) for one in unwatched)
    try:
        return busy_accounts(current.api, changes.values(), accounts, since)
    except RefusalError as refusal:
        current.stop(unwatched, str(refusal))
        return frozenset()


def _needs_accounts(reading: Reading) -> bool:
    return reading.root.owner is not Owner.PLATFORM or reading.root.name == "account"


def _run(
    api: StripeApi,
    jobs: Mapping[Reading, Iterator[Portion]],
    land: Callable[[Portion], None],
) -> dict[Reading, str]:
    """Fetch in a thread a job, land in this one. Returns why jobs failed, if they did."""
    if not jobs:
        return {}
    waiting: Waiting = Queue(WAITING_PORTIONS)
    errors: dict[Reading, str] = {}
    with ThreadPoolExecutor(len(jobs), "stripe-types") as threads:
        running = {one: threads.submit(_work, api, waiting, one, portions) for one, portions in jobs.items()}
        try:
            while running:
                reading, portion = waiting.get()
                if portion is not None:
                    land(portion)
                    continue
                failure = running.pop(reading).exception()
                if isinstance(failure, RefusalError):
                    errors[reading] = str(failure)
                elif failure is not None:
                    raise failure
        finally:
            api.stopping.set()
    return errors


def _work(api: StripeApi, waiting: Waiting, reading: Reading, portions: Iterator[Portion]) -> None:
    """Hand over the portions of one reading, and None when it has ended, whatever ended it."""
    try:
        for portion in portions:
            _hand_over(api, waiting, (reading, portion))
    finally:
        _hand_over(api, waiting, (reading, None))


def _hand_over(api: StripeApi, waiting: Waiting, item: tuple[Reading, Portion | None]) -> None:
    while not api.stopping.is_set():
        try:
            waiting.put(item, timeout=0.1)
        except Full:
            continue
        return


def _set_aside(current: _Pass) -> None:
    """Put what could not be read into quarantine: before a cursor moves past it."""
    current.quarantined += current.quarantine.add(current.api.unreadable.take())


def _land(current: _Pass, portion: Portion) -> None:
    cursor = as_cursor(portion.position) if portion.position else None
    writes = []
    for table in portion.reading.tables:
        rows = portion.rows.arrow(table)
        current.rows[table] += rows.num_rows
        if rows.num_rows or cursor is not None:
            writes.append(Write(source=SOURCE, table=table, kind="rows", rows=rows, cursor=cursor))
    for table, ids in portion.keys.items():
        keys = pa.table([pa.array(sorted(ids), pa.string())], schema=KEYS_SCHEMA)
        writes.append(Write(source=SOURCE, table=table, kind="keys", rows=keys))
    _set_aside(current)
    current.landing.write_many(writes)
    if portion.unreadable:
        tables = ", ".join(portion.reading.tables)
        current.notes.append(
            f"{tables}: this key has no access (any more) to {portion.unreadable} connected accounts; "
            "what was read of them before stays as it was"
        )


def _result(current: _Pass, wanted: Sequence[Reading]) -> StripePull:
    types = {}
    for reading in wanted:
        roots: tuple[StripeType, ...] = (reading.root,) if reading.wants_root else ()
        for entry in (*roots, *reading.nested):
            types[entry.table] = TypePull(
                rows=current.rows[entry.table],
                requests=current.api.http.attempts(endpoint_of(entry.path.format(parent="0"))),
                error=current.errors.get(reading),
            )
    return StripePull(types=types, quarantined=current.quarantined, notes=tuple(current.notes))
