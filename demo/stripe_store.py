"""The objects that the double serves: found through an index in memory, read from their files when asked for.

The folder is looked at again as it changes. Files should be replaced as a whole or appended to; within the folder the
last line about an id holds (files in the order of their names), so that a change can simply be appended.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from demo.stripe_lines import hash_text, index_file
from demo.stripe_resources import STEERING_KEYS
from storage.clock import parse_now
from storage.errors import LeiiError

CLOCK_FILE = "clock.json"
OBJECT_FILES = (".jsonl", ".ndjson")
PLATFORM = 0

Fingerprint = tuple[int, int, int, int]
_STEERING_MARKS = tuple(f'"{key}"'.encode() for key in STEERING_KEYS)


class FilesChangedError(Exception):
    """A file is no longer the one that was indexed: refresh the store and ask again."""


@dataclass(frozen=True, kw_only=True)
class ObjectFile:
    number: int  # by name; the index rows of the file carry it
    path: Path
    descriptor: int
    fingerprint: Fingerprint


@dataclass(frozen=True, kw_only=True)
class TypeIndex:
    """The index rows of one object type; first those that lists show: by owner, newest first, then in file order."""

    rows: pl.DataFrame
    listed: int
    owners: NDArray[np.uint64]  # of the listed rows, ascending
    ages: NDArray[np.int64]  # of the listed rows, `created` negated: ascending within an owner
    ids: NDArray[np.uint64]  # hashes of the ids that hold, ascending
    id_rows: NDArray[np.int64]  # the row of each of `ids`


@dataclass(kw_only=True)
class World:
    """One consistent reading of the folder."""

    files: dict[str, ObjectFile] = field(default_factory=dict)
    types: dict[str, TypeIndex] = field(default_factory=dict)
    event_kinds: dict[str, int] = field(default_factory=dict)  # event type -> hash
    clock: datetime | None = None

    @property
    def objects(self) -> int:
        return sum(len(index.ids) for index in self.types.values())


def read_world(folder: Path, previous: World | None = None) -> World:
    """Index the folder, taking from `previous` whatever has not changed. Raises LeiiError for what cannot be read."""
    paths = _object_files(folder)
    if not paths:
        raise LeiiError(f"{folder} holds no object file (*.jsonl): give the folder that `leii demo generate` wrote")
    if previous is not None and [path.name for path in paths] != list(previous.files):
        previous = None
    files: dict[str, ObjectFile] = {}
    try:
        for number, path in enumerate(paths):
            known = previous.files[path.name] if previous else None
            files[path.name] = known if known and known.fingerprint == _fingerprint(path) else _open(path, number)
        return _indexed(folder, files, previous)
    except BaseException:
        kept = {file.descriptor for file in previous.files.values()} if previous else set()
        _close(file.descriptor for file in files.values() if file.descriptor not in kept)
        raise


def folder_state(folder: Path) -> tuple[tuple[str, Fingerprint], ...]:
    """What tells one state of the folder from another: name, inode, size and time of its files."""
    paths = [*_object_files(folder), *(path for path in [folder / CLOCK_FILE] if path.exists())]
    return tuple((path.name, _fingerprint(path)) for path in paths)


def close_world(world: World, *, keep: World | None = None) -> None:
    """Close the files of a world, but those that `keep` still reads."""
    kept = {file.descriptor for file in keep.files.values()} if keep else set()
    _close(file.descriptor for file in world.files.values() if file.descriptor not in kept)


def owner_slice(index: TypeIndex, owner: int) -> slice:
    """The listed rows of one owner (PLATFORM, or the hash of a connected account)."""
    key = np.uint64(owner)
    return slice(int(np.searchsorted(index.owners, key, "left")), int(np.searchsorted(index.owners, key, "right")))


def find_row(index: TypeIndex, object_id: str) -> int | None:
    """The row of an id, whoever owns it, deleted or not."""
    key = np.uint64(hash_text(object_id))
    place = int(np.searchsorted(index.ids, key))
    return int(index.id_rows[place]) if place < len(index.ids) and index.ids[place] == key else None


def raw_objects(world: World, type_name: str, rows: Sequence[int]) -> list[bytes]:
    """The JSON of objects, without the keys that steer the double. Raises FilesChangedError when a file was rewritten."""
    index = world.types[type_name]
    by_number = {file.number: file for file in world.files.values()}
    places = index.rows[list(rows)].select("file", "offset", "length").rows()
    for number in {place[0] for place in places}:
        file = by_number[number]
        if _stat_fingerprint(os.fstat(file.descriptor)) != file.fingerprint:
            raise FilesChangedError
    return [
        _without_steering(os.pread(by_number[number].descriptor, length, offset)) for number, offset, length in places
    ]


def find_object(world: World, type_names: Sequence[str], object_id: str) -> dict[str, Any] | None:
    """The object with an id, of the first of the types that knows it, whoever owns it."""
    for type_name in type_names:
        index = world.types.get(type_name)
        row = find_row(index, object_id) if index else None
        if row is not None:
            found: dict[str, Any] = json.loads(raw_objects(world, type_name, [row])[0])
            return found
    return None


def owner_of(world: World, type_name: str, row: int) -> int:
    return int(world.types[type_name].rows["owner"][row])


def _without_steering(line: bytes) -> bytes:
    line = line.strip()
    if not any(mark in line for mark in _STEERING_MARKS):
        return line
    value = json.loads(line)
    for key in STEERING_KEYS:
        value.pop(key, None)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _object_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise LeiiError(f"{folder} is no folder: give the folder of object files that `leii demo generate` wrote")
    return sorted(path for path in folder.iterdir() if path.suffix in OBJECT_FILES and not path.name.startswith("."))


def _fingerprint(path: Path) -> Fingerprint:
    return _stat_fingerprint(path.stat())


def _stat_fingerprint(status: os.stat_result) -> Fingerprint:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _open(path: Path, number: int) -> ObjectFile:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    fingerprint = _stat_fingerprint(os.fstat(descriptor))
    return ObjectFile(number=number, path=path, descriptor=descriptor, fingerprint=fingerprint)


def _close(descriptors: Iterator[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _indexed(folder: Path, files: dict[str, ObjectFile], previous: World | None) -> World:
    world = World(files=files, clock=_clock(folder))
    changed = {name: file for name, file in files.items() if previous is None or previous.files[name] != file}
    parts: dict[str, list[pl.DataFrame]] = {}
    if previous is not None:
        world.event_kinds.update(previous.event_kinds)
        numbers = [file.number for file in changed.values()]
        for type_name, index in previous.types.items():
            parts[type_name] = [index.rows.filter(~pl.col("file").is_in(numbers))]
    fresh: set[str] = set()
    for name, file in changed.items():
        for type_name, rows, kinds in index_file(file.descriptor, name, file.number):
            parts.setdefault(type_name, []).append(rows)
            fresh.add(type_name)
            world.event_kinds.update((kind, hash_text(kind)) for kind in kinds)
    for type_name, frames in parts.items():
        old = previous.types.get(type_name) if previous else None
        untouched = type_name not in fresh and old is not None and frames[0].height == old.rows.height
        world.types[type_name] = old if untouched and old is not None else _type_index(frames)
    return world


def _type_index(frames: list[pl.DataFrame]) -> TypeIndex:
    columns = [name for name in frames[0].columns if name not in {"holds", "listed"}]
    rows = (
        pl.concat([frame.select(columns) for frame in frames])
        .sort("file", "offset")
        .with_columns(holds=pl.col("id").is_last_distinct())
        .with_columns(listed=pl.col("holds") & ~pl.col("deleted"))
        .sort(["listed", "owner", "created"], descending=[True, False, True], maintain_order=True)
        .rechunk()
    )
    listed = int(rows["listed"].sum())
    holding = np.flatnonzero(rows["holds"].to_numpy())
    ids = rows["id"].to_numpy()[holding]
    order = np.argsort(ids)
    return TypeIndex(
        rows=rows,
        listed=listed,
        owners=rows["owner"].to_numpy()[:listed],
        ages=-rows["created"].to_numpy()[:listed],
        ids=ids[order],
        id_rows=holding[order],
    )


def _clock(folder: Path) -> datetime | None:
    path = folder / CLOCK_FILE
    if not path.exists():
        return None
    try:
        return parse_now(json.loads(path.read_text(encoding="utf-8"))["now"]).astimezone(UTC)
    except (ValueError, KeyError, TypeError, LeiiError):
        raise LeiiError(f'{path} is no clock: write {{"now": "2026-11-15T06:00:00Z"}}') from None
