"""Whether an object of Stripe's can be taken in at all; one that cannot is set aside, and the rest of its page goes on.

Only what reading itself rests on is looked at: ids, times, and the lists inside an object.
"""

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import NoneType
from typing import Any

import orjson

from ingestion.quarantine import QuarantinedRow

SOURCE = "stripe"
LISTS_INSIDE = ("external_accounts", "reversals", "refunds")
AMOUNTS = ("amount", "amount_reversed", "amount_refunded")
LATEST = 1 << 36
"""Far beyond any time that can be meant, and still one that every part of the pipeline can hold."""
_ID = re.compile(r"[A-Za-z0-9_.:@+=-]{1,255}")
_FLAG = (bool, NoneType)
_NO_AMOUNT = (str, list, dict, float, bool)

REASONS = {
    "no_object": "it is no JSON object",
    "id": "id is none",
    "created": "created is no time in epoch seconds, or is missing",
    "deleted": "deleted is neither true nor false",
    "list": "a list inside it is none",
    "amount": "an amount is no whole number",
    "event": "what the event is about cannot be told",
}


@dataclass(frozen=True)
class Unreadable:
    """What was set aside and is not in quarantine yet; safe among threads."""

    _rows: list[QuarantinedRow] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _places: set[str] = field(default_factory=set)

    def sift(self, endpoint: str, values: Sequence[Any], *, needs_created: bool) -> Iterator[dict[str, Any]]:
        """Those of the values that can be read; the others are kept for quarantine, under the endpoint's name."""
        for value in values:
            fault = fault_of(value, needs_created=needs_created)
            if fault is None:
                yield value
                continue
            row = QuarantinedRow(
                source=SOURCE,
                position=endpoint,
                line=None,
                reason_code=fault,
                reason=REASONS[fault],
                content=orjson.dumps(value, option=orjson.OPT_SORT_KEYS),
            )
            with self._lock:
                self._rows.append(row)
                self._places.add(endpoint)

    def take(self) -> list[QuarantinedRow]:
        """What has been set aside since the last time."""
        with self._lock:
            rows = list(self._rows)
            self._rows.clear()
        return rows

    def has_met(self, endpoint: str) -> bool:
        """Whether anything was ever set aside there."""
        return endpoint in self._places


def is_id(value: Any) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def fault_of(value: Any, *, needs_created: bool) -> str | None:
    """The first reason for which the value cannot be read, or None."""
    if not isinstance(value, dict):
        return "no_object"
    if not is_id(value.get("id")):
        return "id"
    created = value.get("created")
    if created is None:
        if needs_created and value.get("deleted") is not True:
            return "created"
    elif isinstance(created, bool) or not isinstance(created, int) or not 0 <= created < LATEST:
        return "created"
    if not isinstance(value.get("deleted"), _FLAG):
        return "deleted"
    if not all(_is_list(value.get(name)) for name in LISTS_INSIDE):
        return "list"
    if any(isinstance(value.get(name), _NO_AMOUNT) for name in AMOUNTS):
        return "amount"
    return None if value.get("object") != "event" or _is_event(value) else "event"


def _is_list(inside: Any) -> bool:
    """A list as Stripe nests it. Older objects have none, or null."""
    return inside is None or (
        isinstance(inside, dict)
        and ("data" not in inside or isinstance(inside["data"], list))
        and isinstance(inside.get("has_more"), _FLAG)
    )


def _is_event(event: dict[str, Any]) -> bool:
    data = event.get("data")
    about = data.get("object") if isinstance(data, dict) else data
    return (
        event.get("created") is not None
        and (data is None or isinstance(data, dict))
        and (about is None or (isinstance(about, dict) and ("id" not in about or is_id(about["id"]))))
        and (event.get("account") is None or is_id(event["account"]))
    )
