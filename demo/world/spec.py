"""What a world is made from: a seed, sizes, its clock and how untidy its events are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

DAY = 86_400
HOUR = 3_600
HISTORY = 730 * DAY  # how far bookings reach back
EVENT_HISTORY = 180 * DAY
STRIPE_EVENT_HISTORY = 30 * DAY
DEFAULT_NOW = datetime(2026, 11, 15, 6, tzinfo=UTC)

_SMALL = (2_000, 10_000, 100_000)
SIZES: dict[str, tuple[int, int, int]] = {
    name: (_SMALL[0] * factor, _SMALL[1] * factor, _SMALL[2] * factor)
    for name, factor in (("small", 1), ("medium", 10), ("large", 100))
}
SMALLEST = (60, 150, 600)


@dataclass(frozen=True, kw_only=True)
class WorldSpec:
    """The input of a world; the same one gives the same bytes.

    `accounts`, `bookings` and `events` are what the world has at `now` (seconds since 1970); the rates are shares of the
    event lines: late by 1 to 7 days, delivered twice, broken, and sent by a device whose clock is years off.
    """

    seed: int
    accounts: int
    bookings: int
    events: int
    now: int
    size: str = "custom"
    late_rate: float = 0.02
    double_rate: float = 0.01
    broken_rate: float = 0.003
    wrong_clock_rate: float = 0.001

    def __post_init__(self) -> None:
        counts = (self.accounts, self.bookings, self.events)
        for name, value, least in zip(("accounts", "bookings", "events"), counts, SMALLEST, strict=True):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, not {value}: every planted case needs room")
        for name in ("late_rate", "double_rate", "broken_rate", "wrong_clock_rate"):
            if not 0 <= getattr(self, name) <= 0.5:
                raise ValueError(f"{name} must lie between 0 and 0.5, not {getattr(self, name)}")

    @property
    def start(self) -> int:
        """The beginning of the bookings' history, `HISTORY` before `now`."""
        return self.now - HISTORY

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(values: dict[str, Any]) -> WorldSpec:
        return WorldSpec(**values)


def world_spec(
    *,
    seed: int = 1,
    size: str = "small",
    accounts: int | None = None,
    bookings: int | None = None,
    events: int | None = None,
    now: datetime = DEFAULT_NOW,
) -> WorldSpec:
    """A spec of a named size, single counts overridden where they are given; the rates are those of `WorldSpec`."""
    if size not in SIZES:
        raise ValueError(f"size must be one of {', '.join(SIZES)}, not {size!r}")
    if now.tzinfo is None:
        raise ValueError("now needs a time zone, e.g. 2026-11-15T06:00:00Z")
    default_accounts, default_bookings, default_events = SIZES[size]
    is_custom = any(count is not None for count in (accounts, bookings, events))
    return WorldSpec(
        seed=seed,
        size="custom" if is_custom else size,
        accounts=accounts or default_accounts,
        bookings=bookings or default_bookings,
        events=events or default_events,
        now=int(now.timestamp()),
    )
