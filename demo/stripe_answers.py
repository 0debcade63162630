"""What the double answers: lists, retrieved objects and what is expanded in them, out of one world."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path as FilePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo.stripe_errors import invalid, missing, no_access
from demo.stripe_lines import hash_text
from demo.stripe_parameters import PAGE_DEFAULT, ListQuery, Path
from demo.stripe_resources import (
    ACCOUNT_PARTS,
    ENDPOINTS,
    PAYOUT_KEY,
    REFERENCE_FILTERS,
    SHAPES,
    Endpoint,
    column_of,
)
from demo.stripe_store import PLATFORM, World, find_object, find_row, owner_of, owner_slice, raw_objects

EVENTS_REACH_BACK = timedelta(days=30)
PLATFORM_ACCOUNT = "acct_leiiplatform"
_LABELS = {endpoint.types[0]: endpoint.label for endpoint in reversed(ENDPOINTS)}
_SHAPES_FILE = FilePath(__file__).with_name("stripe_objects.json")

# Takes the rows of a page of events and its limit, and gives the rows as they are delivered.
Delivery = Callable[[list[int], int], list[int]]


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Who asks, of which world, and when: `account` is the header Stripe-Account."""

    world: World
    now: datetime
    api_key: str
    account: str | None = None

    @property
    def owner(self) -> int:
        return PLATFORM if self.account is None else hash_text(self.account)


def check_account(asker: Asker, account_id: str) -> None:
    """Raises ApiError (403) for an account that is not there, or that this asker is not."""
    index = asker.world.types.get("account")
    row = find_row(index, account_id) if index else None
    allowed = asker.account in (None, account_id)
    if index is None or row is None or not allowed or bool(index.rows["deleted"][row]):
        raise no_access(asker.api_key, account_id)


def list_objects(asker: Asker, endpoint: Endpoint, parent_id: str | None, query: ListQuery, deliver: Delivery) -> bytes:
    """A page. `deliver` has the last word on the order and repetition of events on the way to the older ones."""
    _check_parent(asker, endpoint, parent_id)
    _check_references(asker, endpoint, query)
    found = _page(asker, endpoint, parent_id, query)
    shown, has_more = found[: query.limit], len(found) > query.limit
    if query.ending_before is not None:
        shown.reverse()
    data: list[bytes] = []
    for type_name, rows in _runs(shown):
        if type_name == "event" and query.ending_before is None:
            delivered = deliver(rows, query.limit)
            has_more = has_more or not set(rows) <= set(delivered)
            rows = delivered
        data.extend(raw_objects(asker.world, type_name, rows))
    if query.expand:
        data = [_expanded(asker.world, line, query.expand) for line in data]
    url = endpoint.path.format(parent=parent_id)
    head = f'{{"object":"list","url":{json.dumps(url)},"has_more":{json.dumps(has_more)},"data":['
    return head.encode() + b",".join(data) + b"]}"


def retrieve_object(
    asker: Asker, endpoint: Endpoint, parent_id: str | None, object_id: str, expand: Sequence[Path]
) -> bytes:
    """One object. Raises ApiError: 404, or 403 for an account that is not there."""
    _check_parent(asker, endpoint, parent_id)
    if endpoint.types == ("account",):
        check_account(asker, object_id)
        return _expanded(asker.world, _raw(asker.world, "account", object_id), expand)
    for type_name in endpoint.types:
        row = _visible_row(asker, type_name, object_id)
        if row is not None and _belongs(asker, endpoint, type_name, row, parent_id):
            return _expanded(asker.world, raw_objects(asker.world, type_name, [row])[0], expand)
    raise missing(endpoint.label, object_id)


def own_account(asker: Asker, expand: Sequence[Path]) -> bytes:
    """GET /v1/account: the connected account of the header, or the platform, which has no line in the folder."""
    if asker.account is not None:
        return _expanded(asker.world, _raw(asker.world, "account", asker.account), expand)
    platform = json.loads(_SHAPES_FILE.read_text(encoding="utf-8"))["account"]
    platform["external_accounts"]["url"] = f"/v1/accounts/{PLATFORM_ACCOUNT}/external_accounts"
    platform |= {"id": PLATFORM_ACCOUNT, "country": "NO", "default_currency": "nok", "email": None}
    return json.dumps(platform).encode()


def _raw(world: World, type_name: str, object_id: str) -> bytes:
    row = find_row(world.types[type_name], object_id)
    assert row is not None, "only asked for what is known to be there"
    return raw_objects(world, type_name, [row])[0]


def _visible_row(asker: Asker, type_name: str, object_id: str) -> int | None:
    """The row of an object that this asker may see, deleted or not."""
    index = asker.world.types.get(type_name)
    row = find_row(index, object_id) if index else None
    if row is None or (type_name not in ACCOUNT_PARTS and owner_of(asker.world, type_name, row) != asker.owner):
        return None
    return row


def _belongs(asker: Asker, endpoint: Endpoint, type_name: str, row: int, parent_id: str | None) -> bool:
    rows = asker.world.types[type_name].rows
    if endpoint.parent is not None and parent_id is not None:
        return int(rows[f"={endpoint.parent.column}"][row]) == hash_text(parent_id)
    return type_name != "event" or int(rows["created"][row]) >= _oldest_event(asker.now)


def _oldest_event(now: datetime) -> int:
    return int((now - EVENTS_REACH_BACK).timestamp())


def _check_parent(asker: Asker, endpoint: Endpoint, parent_id: str | None) -> None:
    if endpoint.parent is None or parent_id is None:
        return
    type_name = endpoint.parent.type
    if type_name == "account":
        check_account(asker, parent_id)
        return
    row = _visible_row(asker, type_name, parent_id)
    if row is None or bool(asker.world.types[type_name].rows["deleted"][row]):
        raise missing(_LABELS[type_name], parent_id)


def _check_references(asker: Asker, endpoint: Endpoint, query: ListQuery) -> None:
    for name in REFERENCE_FILTERS & query.equals.keys():
        if _visible_row(asker, name, query.equals[name]) is None:
            raise missing(_LABELS[name], query.equals[name], param=name, status=400)
    index = asker.world.types.get("balance_transaction")
    if "payout" in query.equals and index is not None and not (index.rows[f"={PAYOUT_KEY}"] > 0).any():
        raise invalid(
            f"No balance transaction in the double's folder says by `{PAYOUT_KEY}` what paid it out.", "payout"
        )


def _page(asker: Asker, endpoint: Endpoint, parent_id: str | None, query: ListQuery) -> list[tuple[str, int]]:
    """Up to one more than the limit, away from the cursor: types and rows of what the page can show."""
    backwards = query.ending_before is not None
    cursor = _cursor(asker, endpoint, query)
    types = [name for name in endpoint.types if name in asker.world.types]
    if cursor is not None:
        place = types.index(cursor[0])
        types = types[: place + 1] if backwards else types[place:]
    found: list[tuple[str, int]] = []
    for type_name in reversed(types) if backwards else types:
        window = _window(asker, type_name, query)
        if cursor is not None and cursor[0] == type_name:
            start, stop = (window.start, cursor[1]) if backwards else (cursor[1] + 1, window.stop)
            window = slice(max(start, window.start), min(stop, window.stop))
        wanted = query.limit + 1 - len(found)
        rows = _matching(asker.world, endpoint, type_name, parent_id, query, window)
        picked = rows[: -wanted - 1 : -1] if backwards else rows[:wanted]
        found.extend((type_name, int(row)) for row in picked)
        if len(found) > query.limit:
            break
    return found


def _cursor(asker: Asker, endpoint: Endpoint, query: ListQuery) -> tuple[str, int] | None:
    param = "ending_before" if query.ending_before is not None else "starting_after"
    object_id = query.ending_before or query.starting_after
    if object_id is None:
        return None
    for type_name in endpoint.types:
        row = _visible_row(asker, type_name, object_id)
        if row is not None and row < asker.world.types[type_name].listed:
            return type_name, row
    raise missing(endpoint.label, object_id, param=param, status=400)


def _window(asker: Asker, type_name: str, query: ListQuery) -> slice:
    """The rows of the asker in the range of `created`, which are consecutive."""
    index = asker.world.types[type_name]
    window = owner_slice(index, PLATFORM if type_name in ACCOUNT_PARTS else asker.owner)
    low, high = query.ranges.get("created", (None, None))
    if type_name == "event":
        low = max(low or 0, _oldest_event(asker.now))
    ages = index.ages[window]
    start = window.start + (0 if high is None else int(np.searchsorted(ages, -high, "left")))
    stop = window.stop if low is None else window.start + int(np.searchsorted(ages, -low, "right"))
    return slice(start, max(start, stop))


def _matching(
    world: World, endpoint: Endpoint, type_name: str, parent_id: str | None, query: ListQuery, window: slice
) -> range | NDArray[np.int64]:
    rows = world.types[type_name].rows
    length = max(0, window.stop - window.start)
    mask = np.ones(length, dtype=np.bool_)
    filtered = False
    for column, keys in _filters(world, endpoint, type_name, parent_id, query):
        mask &= np.isin(rows[column].slice(window.start, length).to_numpy(), keys)
        filtered = True
    for name, (low, high) in query.ranges.items():
        if name == "created":
            continue
        values = rows[name].slice(window.start, length).fill_null(np.iinfo(np.int64).min).to_numpy()
        mask &= values >= (np.iinfo(np.int64).min + 1 if low is None else low)
        mask &= values <= (np.iinfo(np.int64).max if high is None else high)
        filtered = True
    return window.start + np.flatnonzero(mask) if filtered else range(window.start, window.start + length)


def _filters(
    world: World, endpoint: Endpoint, type_name: str, parent_id: str | None, query: ListQuery
) -> Iterator[tuple[str, NDArray[np.uint64]]]:
    """Index columns, with the hashes of which a row must have one."""
    if endpoint.parent is not None and parent_id is not None:
        yield f"={endpoint.parent.column}", np.array([hash_text(parent_id)], dtype=np.uint64)
    for name, value in query.equals.items():
        yield f"={column_of(type_name, name)}", np.array([hash_text(value)], dtype=np.uint64)
    if query.event_types:
        wanted = [key for kind, key in world.event_kinds.items() if _names(query.event_types, kind)]
        yield "=type", np.array(wanted, dtype=np.uint64)


def _names(patterns: Sequence[str], kind: str) -> bool:
    """Whether an event type is named, outright or by a group such as `charge.*`."""
    return any(
        kind == pattern or pattern == "*" or (pattern.endswith(".*") and kind.startswith(pattern[:-1]))
        for pattern in patterns
    )


def _runs(found: Sequence[tuple[str, int]]) -> Iterator[tuple[str, list[int]]]:
    for type_name in dict.fromkeys(name for name, _ in found):
        yield type_name, [row for name, row in found if name == type_name]


def _expanded(world: World, line: bytes, paths: Sequence[Path]) -> bytes:
    if not paths:
        return line
    value = json.loads(line)
    for path in paths:
        _expand(world, value, path)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _expand(world: World, value: Any, path: Path) -> None:
    """Put objects in the place of ids along a path. An id that the world does not hold stays an id."""
    if not path or not isinstance(value, dict) or value.get("object") not in SHAPES:
        return
    shape = SHAPES[value["object"]]
    for length in range(len(path), 0, -1):
        name, rest = ".".join(path[:length]), path[length:]
        if name in shape.fields:
            holder = _walk(value, path[: length - 1])
            held = holder.get(path[length - 1]) if holder else None
            if holder and isinstance(held, str):
                holder[path[length - 1]] = find_object(world, shape.fields[name], held) or held
            _expand(world, holder.get(path[length - 1]) if holder else None, rest)
            return
        if name in shape.lists:
            if name in shape.included:
                value[name] = _included_list(world, value, name, shape.lists[name][0])
            for item in (value.get(name) or {}).get("data", ()):
                _expand(world, item, rest[1:])
            return


def _walk(value: dict[str, Any], path: Path) -> dict[str, Any] | None:
    for name in path:
        value = value.get(name) or {}
    return value if isinstance(value, dict) else None


def _included_list(world: World, value: dict[str, Any], name: str, type_name: str) -> dict[str, Any]:
    """The first page of a list within an object, such as the refunds of a charge."""
    endpoint = next(
        found
        for found in ENDPOINTS
        if found.parent and found.parent.type == value["object"] and type_name in found.types
    )
    data: list[Any] = []
    index = world.types.get(type_name)
    if index is not None and endpoint.parent is not None:
        column = index.rows[f"={endpoint.parent.column}"].slice(0, index.listed).to_numpy()
        rows = np.flatnonzero(column == np.uint64(hash_text(value["id"])))[: PAGE_DEFAULT + 1]
        data = [json.loads(line) for line in raw_objects(world, type_name, [int(row) for row in rows])]
    url = endpoint.path.format(parent=value["id"])
    return {"object": "list", "data": data[:PAGE_DEFAULT], "has_more": len(data) > PAGE_DEFAULT, "url": url}
