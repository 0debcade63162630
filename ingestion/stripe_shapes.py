"""Notices that Stripe's objects have changed their shape: what is new is named, what is gone or retyped stops its table."""

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

REDACTED = "[redacted]"
"""What Stripe puts in the place of personal data after a redaction, in a field of any type."""

_JSON_TYPES: Mapping[str, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "epoch": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
}


@dataclass(frozen=True, kw_only=True)
class ObjectShape:
    """What the policy knows of a table's objects.

    `classified`: the fields at the top of an object that somebody has classified.
    `used`: the dotted paths that somebody gets, with the policy's word for their type.
    """

    table: str
    classified: frozenset[str]
    used: Mapping[str, str]

    @cached_property
    def deep(self) -> tuple[tuple[str, ...], ...]:
        """The used paths below the top, by their names."""
        return tuple(tuple(path.split(".")) for path in self.used if "." in path)


class ChangedShapeError(Exception):
    """A field that is used has another type, or is gone. The text names table and field, never a value."""


@dataclass(kw_only=True)
class ShapeWatch:
    """What a pass has seen of its tables' objects; safe among threads. A table without a shape is not watched."""

    shapes: Mapping[str, ObjectShape] = field(default_factory=dict)
    _plain: dict[str, set[object]] = field(default_factory=lambda: defaultdict(set))
    _present: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look_at(self, table: str, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take note of an object's fields. Raises ChangedShapeError for one that is used and has another type.

        Gives the object with ids where a used field holds the object itself, as an expanded one does.
        Objects of a table are alike: of those with the same fields and types, none of them an object in the place of an id,
        only the first is looked at closely.
        """
        shape = self.shapes.get(table)
        if shape is None:
            return value
        deep = tuple([type(_walk(value, names)) for names in shape.deep])
        signature = (tuple(value), tuple(map(type, value.values())), deep)
        if signature in self._plain[table]:
            return value
        expanded = _expanded_paths(shape, value)
        is_redacted = any(_walk(value, path.split(".")) == REDACTED for path in shape.used)  # whose type says nothing
        with self._lock:
            self._present[table].update(value)
            if not expanded and not is_redacted:
                self._plain[table].add(signature)
        for path in expanded:
            value = _with_id(value, path.split("."))
        return value

    def require_fields(self, tables: Iterable[str]) -> None:
        """Raises ChangedShapeError if a used field stood at the top of none of a table's objects that were seen."""
        for table in tables:
            present = self._present.get(table)
            if not present:
                continue
            gone = sorted(path for path in self.shapes[table].used if "." not in path and path not in present)
            if gone:
                raise ChangedShapeError(
                    f"{table} has no {', '.join(gone)} any more: nothing of this table is read until its entry "
                    "in pseudonymisation/policy/stripe.yml does without"
                )

    def unclassified(self) -> dict[str, tuple[str, ...]]:
        """The fields that nobody has classified, by table; no purpose gets them."""
        with self._lock:
            found = {table: self._present[table] - self.shapes[table].classified for table in sorted(self._present)}
        return {table: tuple(sorted(fields)) for table, fields in found.items() if fields}


def watch(shapes: Sequence[ObjectShape]) -> ShapeWatch:
    return ShapeWatch(shapes={shape.table: shape for shape in shapes})


def _expanded_paths(shape: ObjectShape, value: Mapping[str, Any]) -> tuple[str, ...]:
    """The used fields that hold an object in the place of its id. Raises ChangedShapeError."""
    expanded = []
    for path, kind in shape.used.items():
        found = _walk(value, path.split("."))
        if kind == "text" and isinstance(found, dict) and isinstance(found.get("id"), str):
            expanded.append(path)
        elif found is not None and found != REDACTED and not _is_a(found, kind):
            raise ChangedShapeError(
                f"{shape.table}.{path} is no {kind} any more: nothing of this table is read until its entry "
                "in pseudonymisation/policy/stripe.yml says what it is now"
            )
    return tuple(expanded)


def _with_id(value: Mapping[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """A copy in which the object at the path is its id."""
    inner = value[path[0]]
    return {**value, path[0]: inner["id"] if len(path) == 1 else _with_id(inner, path[1:])}


def _is_a(value: object, kind: str) -> bool:
    types = _JSON_TYPES.get(kind)
    if types is None:
        return True
    return isinstance(value, types) and (bool in types or not isinstance(value, bool))


def _walk(value: Any, names: Sequence[str]) -> Any:
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value
