"""Brings a type up to date: what is new by `created`, what changed by its events, fetched as it is now."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ingestion.stripe_backfill import PORTION_ROWS, Account, Portion, of_account
from ingestion.stripe_client import RefusalError, StripeApi, endpoint_of, get
from ingestion.stripe_cursors import Position
from ingestion.stripe_events import Change, Touched, seen_keys, touched_by
from ingestion.stripe_lists import Object, Rows, add_with_nested, list_type, oldest_created
from ingestion.stripe_objects import BY_NAME, Owner, Reading

# Connected accounts without any sign of business are read again only this often, for types without events.
SWEEP_EVERY = timedelta(days=6)


@dataclass(frozen=True, kw_only=True)
class News:
    """What a pass knows before it fetches: the events, and the accounts.

    Readings of the platform's own objects are given the platform's events alone, which are there sooner.
    """

    changes: Sequence[Change] = ()
    accounts: Sequence[Account] = ()
    busy_accounts: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, kw_only=True)
class Clock:
    """The moment of a pass, and when Stripe's newest event was created as it began (epoch seconds)."""

    now: datetime
    events_to: int


def follow(
    api: StripeApi, pool: Executor, reading: Reading, position: Position, clock: Clock, news: Callable[[], News]
) -> Iterator[Portion]:
    """What is new or changed since the position, in portions; the last one carries the next position.

    `news` waits until they are known. Everything of a type with events is fetched after them, so what lands is never
    older than an event.
    """
    has_events = reading.root.has_events
    own, nested = touched_by(news().changes, reading, position) if has_events else (set(), set())
    known_accounts = {one.account_id for one in news().accounts} if has_events else set()
    rows = Rows()
    landed: set[str] = set()
    for account, values in _found(api, pool, reading, position, clock, news):
        for value in values:
            add_with_nested(api, rows, reading, value, account)
            landed.add(value["id"])
        if len(rows) >= PORTION_ROWS:
            landed |= rows.all_ids()
            yield Portion(reading=reading, rows=rows, position=None)
            rows = Rows()
    left = sorted(
        (one for one in own if one.object_id not in landed),
        key=lambda one: one.object_id,
    )
    for first in range(0, len(left), PORTION_ROWS):
        if len(rows):
            landed |= rows.all_ids()
            yield Portion(reading=reading, rows=rows, position=None)
            rows = Rows()
        _add_fetched(api, pool, rows, reading, left[first : first + PORTION_ROWS], known_accounts)
    landed |= rows.all_ids()
    for one in nested:
        if one.object_id not in landed:  # an event named it, and its parent, fetched after that, no longer shows it
            rows.add_deleted(BY_NAME[one.name], one.object_id, one.account)
    yield Portion(reading=reading, rows=rows, position=_next(reading, position, clock, news()))


def busy_accounts(api: StripeApi, changes: Iterable[Change], accounts: Iterable[Account], since: int) -> frozenset[str]:
    """The connected accounts whose balance can have moved since then: events, new accounts, transfers to them."""
    busy = {change.account for change in changes} | {change.destination for change in changes}
    busy |= {one.account_id for one in accounts if one.created >= since}
    for page in list_type(api, BY_NAME["transfer"], parameters={"created": {"gte": since}}):
        busy |= {to for transfer in page if isinstance(to := transfer.get("destination"), str)}
    return frozenset(one for one in busy if one is not None)


def look_back_start(reading: Reading, position: Position) -> int:
    """From when on a type's objects are listed again, in epoch seconds."""
    return max(0, position.objects_since - int(reading.root.look_back.total_seconds()))


def sweep_is_due(position: Position, now: datetime) -> bool:
    return not position.swept_at or now - datetime.fromisoformat(position.swept_at) >= SWEEP_EVERY


def _found(
    api: StripeApi, pool: Executor, reading: Reading, position: Position, clock: Clock, news: Callable[[], News]
) -> Iterator[tuple[str | None, Sequence[Object]]]:
    """What lists show as new, with its owner: the platform's, and connected accounts' where no event would tell."""
    root = reading.root
    since = look_back_start(reading, position)
    if root.owner is Owner.PARENT:
        wanted = [one.account_id for one in news().accounts if one.created >= since]
        yield from _found_in_accounts(api, pool, reading, wanted, {})
        return
    after: dict[str, Any] = {"created": {"gte": since}} if root.by_created else {}
    for page in list_type(api, root, parameters=after):
        yield None, page
        oldest = oldest_created(page)
        if not root.by_created and oldest is not None and oldest < since:
            break
    if root.owner is Owner.BOTH and not root.has_events:
        sweep = sweep_is_due(position, clock.now)
        if sweep:
            since = min(since, _swept_before(position))
        known = news()
        wanted = [one.account_id for one in known.accounts if sweep or one.account_id in known.busy_accounts]
        yield from _found_in_accounts(api, pool, reading, wanted, {"created": {"gte": since}})


def _found_in_accounts(
    api: StripeApi,
    pool: Executor,
    reading: Reading,
    wanted: Sequence[str],
    parameters: Mapping[str, Any],
) -> Iterator[tuple[str | None, Sequence[Object]]]:
    answers = pool.map(lambda one: of_account(api, reading, one, parameters), wanted)
    for account, values in zip(wanted, answers, strict=True):
        yield account, values or ()


def _swept_before(position: Position) -> int:
    """From when on a sweep reads: a day before the last one."""
    if not position.swept_at:
        return 0
    return int((datetime.fromisoformat(position.swept_at) - timedelta(days=1)).timestamp())


def _fetch(api: StripeApi, reading: Reading, touched: Touched) -> Object | None:
    """An object as it is now; None if it is gone; empty if its account is closed to us, which deletes no payment of it."""
    is_below = reading.root.owner is Owner.PARENT
    path = reading.root.path.format(parent=touched.account) if is_below else reading.root.path
    try:
        value = get(
            api,
            f"{path}/{touched.object_id}",
            account=None if is_below else touched.account,
        )
        readable = api.unreadable.sift(endpoint_of(path), [value], needs_created=True)
        return next(readable, {})
    except RefusalError as refusal:
        if refusal.is_closed_account and reading.root.owner is Owner.BOTH:
            return {}
        if refusal.is_gone:
            return None
        raise


def _add_fetched(
    api: StripeApi,
    pool: Executor,
    rows: Rows,
    reading: Reading,
    touched: Sequence[Touched],
    known_accounts: set[str],
) -> None:
    """Add these objects as they are now."""
    for one, value in zip(touched, pool.map(lambda one: _fetch(api, reading, one), touched), strict=True):
        if value:
            # The platform's own account has events too, and is no connected one.
            if reading.root.name != "account" or one.object_id in known_accounts:
                add_with_nested(api, rows, reading, value, one.account)
        elif value is None and reading.wants_root:
            rows.add_deleted(reading.root, one.object_id, one.account)


def _next(reading: Reading, position: Position, clock: Clock, news: News) -> Position:
    moment = clock.now.astimezone(UTC).isoformat()
    events_to = max(position.events_to, clock.events_to)
    return replace(
        position,
        as_of=moment,
        events_to=events_to,
        seen=seen_keys(news.changes, reading, events_to) if reading.root.has_events else (),
        swept_at=moment if sweep_is_due(position, clock.now) else position.swept_at,
    )
