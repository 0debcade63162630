"""What the policy wants of an event: the fields that some purpose gets, and the names that somebody has classified."""

from dataclasses import dataclass

JSON_TYPES = {
    "text": ("VARCHAR",),
    "identifier": ("VARCHAR", "BIGINT", "UBIGINT"),
    "integer": ("BIGINT", "UBIGINT"),
    "number": ("BIGINT", "UBIGINT", "DOUBLE"),
    "boolean": ("BOOLEAN",),
    "timestamp": ("VARCHAR",),
    "date": ("VARCHAR",),
    "list": ("ARRAY",),
}
"""DuckDB's names of the JSON types that a field may have, by what the policy calls it; null is always allowed."""

ENVELOPE = ("messageId", "type", "event", "userId", "anonymousId", "receivedAt")
"""The fields that every event has, whoever gets it; ingestion has rules of its own for them."""


COUNTRY = "context.ip_country"
"""A field that no client sends: the country of the IP address, put in the address's place where its source is known."""


@dataclass(frozen=True, kw_only=True)
class EventField:
    """One field by its dotted path, and its type: a key of JSON_TYPES."""

    path: str
    type: str

    def __post_init__(self) -> None:
        if self.type not in JSON_TYPES:
            raise ValueError(f"{self.path}: an event's field has one of the types {', '.join(JSON_TYPES)}")


@dataclass(frozen=True, kw_only=True)
class EventFields:
    """`kept`: what some purpose gets beyond the envelope; nothing else of an event is stored, not even in landing.

    `names` and `properties`: the names at the top and among the properties that the policy lists. A name beyond them is
    left out like the ones that go to no purpose, and reported.
    """

    kept: tuple[EventField, ...] = ()
    names: frozenset[str] = frozenset()
    properties: frozenset[str] = frozenset()


ENVELOPE_ONLY = EventFields()
