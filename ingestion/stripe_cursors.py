"""How far a type of Stripe's was read. Landing's register keeps it, so it holds times and hashes, and no object's id."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from ingestion.landing import Landing
from ingestion.stripe_objects import Reading

SOURCE = "stripe"

Window: TypeAlias = tuple[int | None, int | None]

# Stripe keeps events for 30 days. A cursor older than this is not trusted to meet them all.
OLDEST_CURSOR = timedelta(days=25)

# Events can show up late and out of order: each pass reads this far back into the one before.
OVERLAP_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class Position:
    """How far one reading has come.

    `is_whole`: everything was read once, and from then on only what changed.
    `as_of`: the start of the last whole pass; while reading everything, the start of that. ISO 8601, UTC.
    `events_to`: when the newest event known at `as_of` was created (epoch seconds; 0: there was none).
    `seen`: hashes of the events from the overlap before `events_to` on that were dealt with.
    `swept_at`: when the connected accounts were last read one and all, for types without events.
    `windows`, `accounts_below`: while reading everything, newest first, what is left: of the platform's objects what was
    created in these windows (epoch seconds, both ends included, None: open), and the accounts created at or before.
    `again`: everything had been read before, so that the keys of this reading must be complete: it is not resumed.
    """

    is_whole: bool
    as_of: str
    events_to: int
    seen: tuple[str, ...] = ()
    swept_at: str = ""
    windows: tuple[Window, ...] = ((None, None),)
    accounts_below: int | None = None
    again: bool = False

    @property
    def events_since(self) -> int:
        return max(0, self.events_to - OVERLAP_SECONDS)

    @property
    def objects_since(self) -> int:
        """From when on objects can be new: the earlier of two clocks, Stripe's and ours."""
        started = int(datetime.fromisoformat(self.as_of).timestamp())
        return max(0, min(started, self.events_to or started) - OVERLAP_SECONDS)

    def is_too_old(self, now: datetime) -> bool:
        return now - datetime.fromisoformat(self.as_of) > OLDEST_CURSOR


def start(now: datetime, events_to: int, *, again: bool) -> Position:
    """Where reading everything begins."""
    moment = now.astimezone(UTC).isoformat()
    return Position(is_whole=False, as_of=moment, events_to=events_to, swept_at=moment, again=again)


def finished(position: Position) -> Position:
    """Everything was read; what changed since `as_of` comes with the next pass."""
    return replace(
        position,
        is_whole=True,
        windows=(),
        accounts_below=None,
        again=False,
    )


def load(landing: Landing, reading: Reading) -> Position | None:
    """The position that all of the reading's tables share, or None if it has to be read from the start."""
    stored = [landing.cursor(SOURCE, table) for table in reading.tables]
    if not stored[0] or any(other != stored[0] for other in stored):
        return None
    values: dict[str, Any] = dict(stored[0])
    try:
        lists = {"seen": tuple(values["seen"]), "windows": tuple(tuple(window) for window in values["windows"])}
        return Position(**values | lists)
    except (KeyError, TypeError):
        return None  # written by another version


def as_cursor(position: Position) -> dict[str, Any]:
    return asdict(position)


def oldest_events(positions: Sequence[Position]) -> int:
    return min(position.events_since for position in positions)
