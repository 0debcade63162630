"""What an erasure costs, the whole way to the certificate, beside building everything from the sources.

Aims on the medium world: one person under a fifth of a full rebuild; 1,000 people in a batch under three times one.
"""

import sys
from datetime import timedelta

import psycopg

from benchmarks.running_world import DUE_WHEN_ASKED, RunningWorld, running_world
from demo.world.spec import world_spec

_ASK = f"""
insert into app.privacy_request
    (privacy_request_id, account_id, kind, channel, identity_verified_at, requested_at, updated_at)
select (select coalesce(max(privacy_request_id), 0) from app.privacy_request) + row_number() over (order by account_id),
    account_id, 'erasure', 'profile', created_at, created_at, created_at
from (
    select account_id, created_at from app.account as account
    where {DUE_WHEN_ASKED} order by md5(account_id::text) limit %(people)s
) as chosen
"""
"""Customers and providers as they come, with their bookings: most have some."""


BATCH = {"small": 100, "medium": 1_000, "large": 1_000}


def main(*sizes: str) -> None:
    """Print, for a world of each size (small if none is named), what it takes to build it from the sources, to erase one
    person, and to erase a batch; and how that grows from one size to the next."""
    before: tuple[float, float] | None = None
    for size in sizes or ("small",):
        people = BATCH[size]
        with running_world(world_spec(size=size)) as world:
            rebuild = world.leii("run", "--json")
            world.leii("erase", "--json")  # who asked in the world itself, and was not due in the first pass
            one = _erase(world, 1)
            many = _erase(world, people)
        print(f"{size} world: built from the sources in {rebuild:.0f} s; one person erased in {one:.1f} s")
        print(f"  one person / full rebuild: {one / rebuild:.2f} (aim: below 0.20)")
        print(f"  {people} people / one: {many / one:.2f} (aim: below 3 for 1,000 on the medium world)")
        if before is not None:
            print(f"  times the size before: rebuild {rebuild / before[0]:.1f}, one person {one / before[1]:.1f}")
        before = rebuild, one


def _erase(world: RunningWorld, people: int) -> float:
    before, held_before = _certificates(world), _held(world)
    with psycopg.connect(world.server.admin_dsn) as connection:
        asked = connection.execute(_ASK, {"since": world.now - timedelta(days=31), "people": people}).rowcount
    seconds = world.leii("erase", "--json")
    issued = _certificates(world) - before
    held = _held(world) - held_before  # by a dispute or a claim
    if not asked == issued + held == people or issued < 0.95 * people:
        raise SystemExit(
            f"{people} people were to be erased: {asked} could ask, {issued} certificates were issued, {held} are held"
        )
    return seconds


def _held(world: RunningWorld) -> int:
    with psycopg.connect(world.server.admin_dsn) as connection:
        row = connection.execute("select count(*) from app.privacy_receipt where state = 'held'").fetchone()
    assert row is not None
    return int(row[0])


def _certificates(world: RunningWorld) -> int:
    return len(list(world.home.certificates.glob("0*.json")))


if __name__ == "__main__":
    main(*sys.argv[1:])
