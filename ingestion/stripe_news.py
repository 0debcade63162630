"""What a pass has to know before it can follow: the connected accounts, and the events since last time.

One request for every connected account is what a pass without news mostly waits for. So it is made beside everything else,
and who needs nothing of it does not wait for it.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from ingestion.stripe_backfill import Account, read_accounts
from ingestion.stripe_client import RefusalError, StripeApi
from ingestion.stripe_cursors import Position, oldest_events
from ingestion.stripe_events import Change, read_account_changes, read_changes
from ingestion.stripe_follow import News, busy_accounts, look_back_start
from ingestion.stripe_objects import Owner, Reading

# Enough that the rate, and not the time that an answer takes (up to a quarter of a second), is what bounds them.
POLLING_THREADS = 24

Changes = dict[str, Change]


@dataclass(frozen=True, kw_only=True)
class Awaited:
    """What is being asked for; each waits for its answer, and raises RefusalError where there is none.

    `accounts`: the connected ones. `platform`: news of the platform's own objects. `everybodys`: with the connected
    accounts and their events. `balances`: with the accounts whose balance can have moved; does without events that cannot
    be read, as every account's balance is read again within days.
    """

    accounts: Callable[[], Sequence[Account]]
    platform: Callable[[], News]
    everybodys: Callable[[], News]
    balances: Callable[[], News]


def news_for(reading: Reading, awaited: Awaited) -> Callable[[], News]:
    """The news that a reading waits for."""
    if not needs_accounts(reading):
        return awaited.platform
    return awaited.everybodys if reading.root.has_events else awaited.balances


def needs_accounts(reading: Reading) -> bool:
    return reading.root.owner is not Owner.PLATFORM or reading.root.name == "account"


def ask_for_news(
    api: StripeApi, pools: ExitStack, follows: Mapping[Reading, Position], backfills: Mapping[Reading, Position]
) -> Awaited:
    """Begin to ask, as far as anything needs it; `pools` ends with the pass."""
    asking = pools.enter_context(ThreadPoolExecutor(5, "stripe-news"))
    polling = pools.enter_context(ThreadPoolExecutor(POLLING_THREADS, "stripe-events"))
    watched = [at for one, at in follows.items() if one.root.has_events]
    watched_below = [at for one, at in follows.items() if needs_accounts(one)]
    wants_accounts = any(needs_accounts(one) for one in (*follows, *backfills))
    events = asking.submit(_platforms, api, watched)
    accounts = asking.submit(lambda: read_accounts(api) if wants_accounts else [])
    accounts_events = asking.submit(_accounts, api, polling, accounts, watched_below)
    balances = asking.submit(_balances, api, follows, accounts, events, accounts_events)

    def everybodys() -> News:
        changes = events.result() | accounts_events.result()
        return News(changes=tuple(changes.values()), accounts=accounts.result())

    return Awaited(
        accounts=accounts.result,
        platform=lambda: News(changes=tuple(events.result().values())),
        everybodys=everybodys,
        balances=balances.result,
    )


def _platforms(api: StripeApi, positions: Sequence[Position]) -> Changes:
    if not positions:
        return {}
    try:
        return read_changes(api, oldest_events(positions))
    except RefusalError as refusal:
        raise RefusalError(f"events cannot be read: {refusal}", code=refusal.code) from None


def _accounts(
    api: StripeApi, polling: Executor, accounts: "Future[list[Account]]", positions: Sequence[Position]
) -> Changes:
    known = accounts.result()
    if not positions:
        return {}
    try:
        return read_account_changes(api, polling, known, oldest_events(positions))
    except RefusalError as refusal:
        raise RefusalError(f"the connected accounts' events cannot be read: {refusal}", code=refusal.code) from None


def _balances(
    api: StripeApi,
    follows: Mapping[Reading, Position],
    accounts: "Future[list[Account]]",
    *events: "Future[Changes]",
) -> News:
    unwatched = [one for one in follows if one.root.owner is Owner.BOTH and not one.root.has_events]
    if not unwatched:
        return News()
    since = min(look_back_start(one, follows[one]) for one in unwatched)
    known = accounts.result()
    changes: Changes = {}
    for asked in events:
        if not isinstance(asked.exception(), RefusalError):
            changes |= asked.result()
    busy = busy_accounts(api, changes.values(), known, since)
    return News(changes=tuple(changes.values()), accounts=known, busy_accounts=busy)
