"""From Stripe's lists to rows of landing: page by page, with what is nested inside an object on its own table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pyarrow as pa

from ingestion.stripe_client import RefusalError, StripeApi, endpoint_of, get
from ingestion.stripe_objects import Reading, StripeType
from ingestion.stripe_readable import is_id

PAGE_SIZE = 100

ROW_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("account", pa.string()),
        ("created", pa.int64()),
        ("deleted", pa.bool_()),
        ("object", pa.string()),
    ]
)

Object = Mapping[str, Any]
Row = tuple[str, str | None, int | None, bool, bytes]
"""Its columns; the object as JSON in UTF-8, which Arrow takes as text without a Python string in between."""


@dataclass(kw_only=True)
class Rows:
    """Rows by table and id: an object fetched twice is there once, as it was fetched last."""

    by_table: dict[str, dict[str, Row]] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(len(rows) for rows in self.by_table.values())

    def add(self, entry: StripeType, value: Object, account: str | None) -> None:
        """An object as fetched; if Stripe says that it is deleted, nothing but its id and type remains of it."""
        if value.get("deleted") is True:
            self.add_deleted(entry, value["id"], account, for_good=True)
            return
        self._put(entry, (value["id"], account, value.get("created"), False, _text(value)))

    def add_deleted(self, entry: StripeType, object_id: str, account: str | None, *, for_good: bool = False) -> None:
        """An object that is not there any more. `for_good`: Stripe itself says so, it is not merely out of this key's reach."""
        said = {"deleted": True} if for_good else {}
        text = _text({"id": object_id, "object": entry.name, **said})
        self._put(entry, (object_id, account, None, True, text))

    def update(self, other: "Rows") -> None:
        """Take in others, fetched later."""
        for table, rows in other.by_table.items():
            self.by_table.setdefault(table, {}).update(rows)

    def ids(self, table: str) -> set[str]:
        return set(self.by_table.get(table, ()))

    def all_ids(self) -> set[str]:
        return {object_id for rows in self.by_table.values() for object_id in rows}

    def arrow(self, table: str) -> pa.Table:
        rows = list(self.by_table.get(table, {}).values())
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(ROW_SCHEMA)
        return pa.table(
            [pa.array(values, kind) for values, kind in zip(columns, ROW_SCHEMA.types, strict=True)],
            schema=ROW_SCHEMA,
        )

    def _put(self, entry: StripeType, row: Row) -> None:
        self.by_table.setdefault(entry.table, {})[row[0]] = row


def _text(value: Object) -> bytes:
    """The object as JSON. A copy: what orjson gives keeps the room that it was written in, several times what it fills."""
    return bytes(memoryview(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)))


def list_pages(
    api: StripeApi,
    path: str,
    *,
    account: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    needs_created: bool = True,
) -> Iterator[list[dict[str, Any]]]:
    """A list's pages, newest first, without the objects that cannot be read. Raises RefusalError."""
    position: dict[str, str] = {}
    passed: set[str] = set()
    while True:
        page = get(
            api,
            path,
            account=account,
            parameters={"limit": PAGE_SIZE, **(parameters or {}), **position},
        )
        shown = page.get("data") or []
        if not isinstance(shown, list):
            raise RefusalError(f"{endpoint_of(path)} answered with something that is no list", code=None)
        objects = list(api.unreadable.sift(endpoint_of(path), shown, needs_created=needs_created))
        if objects:
            yield objects
        if not shown or not page.get("has_more"):
            return
        position = {"starting_after": _last_id(path, shown, passed)}


def _last_id(path: str, shown: list[Any], passed: set[str]) -> str:
    """Where the next page starts. Raises RefusalError if the list cannot be followed any further."""
    ids = [value["id"] for value in shown if isinstance(value, dict) and is_id(value.get("id"))]
    if not ids or ids[-1] in passed:
        raise RefusalError(f"{endpoint_of(path)} has a page after which its list does not go on", code=None)
    passed.add(ids[-1])
    return str(ids[-1])


def oldest_created(page: Sequence[Object]) -> int | None:
    """When the last object of a page, newest first, was created; one that is deleted may no longer say so."""
    return next((value["created"] for value in reversed(page) if value.get("created") is not None), None)


def list_type(
    api: StripeApi,
    entry: StripeType,
    *,
    account: str | None = None,
    parent: str | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Iterator[list[dict[str, Any]]]:
    """The pages of a type: the platform's, a connected account's, or those below a parent."""
    path = entry.path.format(parent=parent) if parent else entry.path
    return list_pages(
        api,
        path,
        account=account,
        parameters={**dict(entry.list_parameters), **(parameters or {})},
        needs_created=entry.nested is None,
    )


def add_with_nested(api: StripeApi, rows: Rows, reading: Reading, value: Object, account: str | None) -> None:
    """Add an object and what is nested in it, as far as the reading wants them. Raises ChangedShapeError."""
    is_deleted = value.get("deleted") is True
    if reading.wants_root:
        rows.add(reading.root, value if is_deleted else api.shapes.look_at(reading.root.table, value), account)
    if is_deleted:
        return
    for entry in reading.nested:
        owner = value["id"] if reading.root.name == "account" else account
        for child in _children(api, entry, value, account):
            rows.add(entry, api.shapes.look_at(entry.table, child), owner)


def _children(api: StripeApi, entry: StripeType, parent: Object, account: str | None) -> Iterator[Object]:
    """The objects of a list inside the parent; asked for when the parent does not show all of them."""
    assert entry.nested is not None
    inside = parent.get(entry.nested.list_field) or {}
    shown: list[Object] = inside.get("data") or []
    shown = list(api.unreadable.sift(endpoint_of(entry.path), shown, needs_created=False))
    total = parent.get(entry.nested.total_field) if entry.nested.total_field else None
    is_short = total is not None and total != sum(child.get("amount") or 0 for child in shown)
    if "data" in inside and not inside.get("has_more") and not is_short:
        yield from (child for child in shown if child.get("object") == entry.name)
        return
    for page in list_type(api, entry, account=account, parent=parent["id"]):
        yield from page
