"""What happens in a small world between two passes: news, people who ask to be erased, late events, somebody who is back."""

import gzip
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from hypothesis import strategies as st

from benchmarks.running_world import RunningWorld
from demo.world.output import read_world_file, write_gzip, write_world_file
from demo.world.spec import SMALLEST
from tests.integration.passes import app

Kind = Literal["without_booking", "with_bookings", "pair", "shares_device", "anybody"]
KINDS: tuple[Kind, ...] = ("without_booking", "with_bookings", "pair", "shares_device", "anybody")

DUE: tuple[Kind, ...] = ("without_booking", "with_bookings", "pair")
"""The kinds whose erasure must be carried out at once; of the others it depends on who is met."""

LATE_LINES = 12

# Who can be erased now by R19: nothing open, unpaid, claimed or disputed, and 30 days after the last job.
_STANDING = """
with job as (
    select customer_id as account_id, * from app.booking union all select provider_id, * from app.booking
),
held as (
    select job.account_id from job join app.insurance_claim c using (booking_id) where c.status not in ('rejected', 'settled')
    union
    select job.account_id from job where job.booking_id = any(%(disputed)s)
),
standing as (
    select account.account_id, count(job.booking_id) as jobs,
        coalesce(bool_or(job.status in ('booked', 'in_progress') or (job.status = 'completed' and job.paid_at is null)), false)
        or account.account_id in (select account_id from held) as is_held,
        max(greatest(job.completed_at, job.paid_at)) as last_settled_at
    from app.account left join job using (account_id)
    where account.account_id not in (select account_id from app.privacy_request)
    group by account.account_id
),
due as (
    select account_id, jobs from standing
    where not is_held and coalesce(last_settled_at < %(now)s::timestamptz - interval '32 days', true)
)
"""

_CANDIDATES: Mapping[Kind, str] = {
    "without_booking": "select array[account_id::text] from due where jobs = 0 order by 1",
    "with_bookings": "select array[account_id::text] from due where jobs > 0 order by 1",
    "pair": """
        select array[customer_id::text, provider_id::text] from app.booking
        where customer_id in (select account_id from due) and provider_id in (select account_id from due)
        group by 1 order by 1
    """,
    "shares_device": """
        select array[account_id::text] from standing
        where account_id in (
            select account_id from app.login where device_id in (
                select device_id from app.login group by device_id having count(distinct account_id) > 1))
        order by 1
    """,
    "anybody": "select array[account_id::text] from standing order by 1",
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """What happens before one pass. `asks`: the kinds of people who ask to be erased, each with who of them, by a number
    that is taken modulo how many there are. `days`: of news; with none of them, and no `late_events`, only the requests
    are new."""

    days: int
    asks: tuple[tuple[Kind, int], ...]
    late_events: bool = False
    somebody_is_back: bool = False

    @property
    def is_quiet(self) -> bool:
        """Nothing changes but for those who are erased."""
        return not (self.days or self.late_events or self.somebody_is_back)


@dataclass(frozen=True, kw_only=True)
class History:
    """A world, and what happens in it after the first pass."""

    seed: int
    accounts: int
    bookings: int
    events: int
    planted_requests: bool
    steps: tuple[Step, ...]


def candidates(world: RunningWorld, kind: Kind) -> list[list[str]]:
    """Account ids of everybody of a kind who has not asked yet; pairs come as two."""
    found = app(world, _STANDING + _CANDIDATES[kind], {"now": world.now, "disputed": _disputed_bookings(world)})
    return [row[0] for row in found]


def _disputed_bookings(world: RunningWorld) -> list[int]:
    lines = (world.folder / "world" / "stripe" / "dispute.jsonl").read_text().splitlines()
    disputes = {dispute["id"]: dispute for dispute in map(json.loads, lines)}
    return [
        int(dispute["metadata"]["booking_id"])
        for dispute in disputes.values()
        if dispute["status"] not in ("won", "lost", "prevented", "warning_closed")
    ]


def ask(world: RunningWorld, step: Step) -> set[str]:
    """Enter verified requests of the step's people into the app; gives those whose erasure must be carried out."""
    due: set[str] = set()
    for kind, pick in step.asks:
        found = candidates(world, kind)
        people = found[pick % len(found)] if found else []
        for account_id in people:
            enter_request(world, account_id)
        due.update(people if kind in DUE else ())
    return due


def enter_request(world: RunningWorld, account_id: str) -> None:
    """A verified request to be erased, in the app."""
    app(
        world,
        "insert into app.privacy_request select greatest(max(privacy_request_id), 90000) + 1, %s, 'erasure', 'profile', "
        "%s, %s, null, %s from app.privacy_request",
        [account_id, *[world.now - timedelta(hours=1)] * 3],
    )


def event_lines(world: RunningWorld) -> list[dict[str, Any]]:
    """Every whole event that has been delivered so far, in the order of the files."""
    found = []
    for path in sorted((world.folder / "world" / "events").rglob("*.jsonl.gz")):
        for line in gzip.decompress(path.read_bytes()).decode(errors="replace").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and isinstance(event.get("properties"), dict):
                found.append(event)
    return found


def deliver(world: RunningWorld, name: str, events: Sequence[Mapping[str, Any]]) -> None:
    """A file of events, in today's folder of the collector."""
    path = world.folder / "world" / "events" / f"dt={world.now.date()}" / f"{name}.jsonl.gz"
    write_gzip(path, "".join(json.dumps(event) + "\n" for event in events).encode())


def deliver_late(world: RunningWorld, name: str, people: Sequence[str]) -> None:
    """Old events once more under their own ids and under new ones: of these people, and as many of everybody."""
    events = event_lines(world)
    theirs = [event for event in events if event.get("userId") in people][:LATE_LINES]
    everybodys = events[:: max(1, len(events) // LATE_LINES)]
    late = [{**event, "messageId": f"{name}-{number}"} for number, event in enumerate(theirs + everybodys)]
    deliver(world, name, theirs + everybodys + late)


def sign_up_again(world: RunningWorld, name: str, account_id: str) -> str:
    """The person behind an account opens another, on the same device and with the same cookie; gives its id."""
    again = str(uuid.uuid5(uuid.NAMESPACE_URL, account_id))
    columns = [row[0] for row in app(world, _COLUMNS_OF_ACCOUNT)]
    changed = {"account_id": "%s::uuid", "created_at": "%s", "updated_at": "%s", "stripe_customer_id": "null"}
    app(
        world,
        f"insert into app.account ({', '.join(columns)}) select {', '.join(changed.get(c, c) for c in columns)} "
        "from app.account where account_id = %s on conflict do nothing",
        [again, *[world.now - timedelta(minutes=30)] * 2, account_id],
    )
    _log_in(world, account_id, again)
    events = [event for event in event_lines(world) if event.get("userId") == account_id][:LATE_LINES]
    deliver(
        world,
        f"{name}-back",
        [{**event, "userId": again, "messageId": f"{name}-back-{number}"} for number, event in enumerate(events)],
    )
    return again


_COLUMNS_OF_ACCOUNT = (
    "select column_name::text from information_schema.columns where table_schema = 'app' and table_name = 'account'"
)


def _log_in(world: RunningWorld, account_id: str, again: str) -> None:
    """Logins from the devices of the first account; the world hands out no number of theirs twice."""
    folder = world.folder / "world"
    content = read_world_file(folder)
    rows = app(
        world,
        "insert into app.login select %s + row_number() over (order by login_id), %s::uuid, %s, success, ip, device_id, "
        "user_agent, country from app.login where account_id = %s returning login_id",
        [content["next_ids"]["login"], again, world.now - timedelta(minutes=20), account_id],
    )
    content["next_ids"]["login"] += len(rows) + 1
    write_world_file(folder, content)


LIKELY = st.sampled_from([True, False])
"""True in the simplest example, which Hypothesis plays first: the simplest history is one in which everything happens."""


@st.composite
def histories(draw: st.DrawFn, *, most_steps: int = 2) -> History:
    """Any history in a small world of one quiet step and one with news, or of up to `most_steps` in any order.

    Somebody of each kind asks to be erased at least once.
    """
    count = 2 if most_steps == 2 else draw(st.integers(2, most_steps))
    asks: list[list[tuple[Kind, int]]] = [[] for _ in range(count)]
    for kind in KINDS:
        asking = [number for number in range(count) if draw(LIKELY)] or [count - 1]
        for number in asking:
            asks[number].append((kind, draw(st.integers(0, 30))))
    days = [0, *(draw(st.integers(1, 2)) for _ in range(count - 1))]
    if most_steps > 2:
        days = draw(st.permutations(days))
    steps = tuple(
        Step(
            days=days[number],
            asks=tuple(asks[number]),
            late_events=days[number] > 0 and draw(LIKELY),
            somebody_is_back=days[number] > 0 and draw(LIKELY),
        )
        for number in range(count)
    )
    accounts, bookings, events = SMALLEST
    return History(
        seed=draw(st.sampled_from(range(1, 1_000_000))),
        accounts=accounts + draw(st.integers(0, 30)),
        bookings=bookings + draw(st.integers(0, 100)),
        events=events + draw(st.integers(0, 300)),
        planted_requests=draw(LIKELY),
        steps=steps,
    )
