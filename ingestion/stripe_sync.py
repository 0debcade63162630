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
from ingestion.pacing import Pacer
from ingestion.quarantine import Quarantine
from ingestion.stripe_backfill import Portion, backfill
from ingestion.stripe_client import NETWORK_RETRIES, RefusalError, StripeApi, endpoint_of, open_api
from ingestion.stripe_cursors import OLDEST_CURSOR, SOURCE, Position, as_cursor, load, start
from ingestion.stripe_events import newest_event
from ingestion.stripe_follow import Clock, follow
from ingestion.stripe_news import ask_for_news, needs_accounts, news_for
from ingestion.stripe_objects import Reading, StripeType, readings
from ingestion.stripe_shapes import ChangedShapeError, ObjectShape, watch
from storage import Workspace

# Portions that wait to be landed; each is at most a few thousand rows.
WAITING_PORTIONS = 2
# For each type a pool of its own: requests that wait for their endpoint's turn must not hold up those to another.
ACCOUNT_THREADS = 8
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
    shapes: Sequence[ObjectShape] = (),
) -> StripePull:
    """Land what is new in Stripe. `api_base` None: Stripe itself. `types`: by Stripe's names or the tables', None: all.

    `pacer`: another pace than just below Stripe's limits, to leave more of them to others who use the same account.
    `shapes`: what is known of the objects' fields; fields beyond them are named in the notes and given to nobody.
    A type that fails is reported in the result and taken up again by the next pass; the others go on.
    Raises LeiiError for an unknown type.
    """
    wanted = readings(types)
    seen = watch(shapes)
    api = open_api(api_key, api_base, retries=network_retries, pacer=pacer, shapes=seen)
    with ExitStack() as pools:
        current = _Pass(api=api, landing=landing, quarantine=Quarantine(workspace), now=workspace.now)
        try:
            newest = _newest(current, wanted)
            _plan(current, wanted, newest)
            jobs = _jobs(current, pools, Clock(now=current.now, events_to=newest))
            current.errors.update(_run(api, jobs, lambda portion: _land(current, portion)))
            _set_aside(current)
        finally:
            api.stopping.set()
    for table, fields in seen.unclassified().items():
        current.notes.append(f"nobody has classified {table} ({', '.join(fields)}): left out of every load")
    return _result(current, wanted)


def _jobs(current: _Pass, pools: ExitStack, clock: Clock) -> dict[Reading, Iterator[Portion]]:
    """What is to be done, each waiting by itself for what it must know."""
    api = current.api
    awaited = ask_for_news(api, pools, current.follows, current.backfills)
    return {
        **{
            one: follow(api, _pool(pools), one, at, clock, news_for(one, awaited))
            for one, at in current.follows.items()
        },
        **{
            one: backfill(api, _pool(pools), one, awaited.accounts if needs_accounts(one) else tuple, at)
            for one, at in current.backfills.items()
        },
    }


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
                    if reading not in errors:
                        _try(errors, reading, lambda: land(portion))  # noqa: B023
                    continue
                done = running.pop(reading)
                _try(errors, reading, done.result)
        finally:
            api.stopping.set()
    return errors


def _try(errors: dict[Reading, str], reading: Reading, work: Callable[[], None]) -> None:
    """Do what may fail for one reading alone, whose first failure is kept."""
    try:
        work()
    except (RefusalError, ChangedShapeError) as failure:
        errors.setdefault(reading, str(failure))


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
    """Make a portion durable, and then its cursor. Raises ChangedShapeError."""
    current.api.shapes.require_fields(portion.reading.tables)
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
