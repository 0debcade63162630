"""SQLite: every value of every table, and the texts of the schema. Deleted rows are left to the raw bytes."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from pseudonymisation.scan.formats.columns import blob_pieces
from pseudonymisation.scan.formats.source import Source
from pseudonymisation.scan.pieces import Found, Piece

MAGIC = b"SQLite format 3\0"
_ROWS_AT_A_TIME = 20_000
_LOG_HEADER, _FRAME_HEADER = 32, 24


class _Text(bytes):
    """A text as its UTF-8 bytes, which need not be valid, told apart from a blob."""


def read_sqlite(source: Source) -> Iterator[Found]:
    """Raises sqlite3.Error for a damaged file."""
    with closing(_open(source)) as connection:
        connection.text_factory = _Text
        schema = connection.execute("select type, name, sql from sqlite_master").fetchall()
        for _, name, sql in schema:
            yield Piece(place=f"schema of {name.decode(errors='replace')}", content=sql or b"", form="text")
        for kind, name, _ in schema:
            if kind == b"table":
                yield from _table(connection, name.decode())


def _open(source: Source) -> sqlite3.Connection:
    """A private copy in memory, as the file would be with its write-ahead log written back: the scan leaves no trace."""
    content = bytearray(source.content[:])
    log = source.path.with_name(f"{source.path.name}-wal") if source.path else None
    if log is not None and log.exists():
        _write_back(content, log.read_bytes())
    content[18:20] = b"\x01\x01"  # there is no log any more
    connection = sqlite3.connect(":memory:")
    connection.deserialize(bytes(content))
    return connection


def _write_back(content: bytearray, log: bytes) -> None:
    """The pages of every transaction that was ended; frames with another salt are left from before the last restart.

    Layout: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
    """
    page_size, salt = int.from_bytes(log[8:12], "big"), log[16:24]
    pages: dict[int, bytes] = {}
    for start in range(_LOG_HEADER, len(log) - page_size - _FRAME_HEADER + 1, page_size + _FRAME_HEADER):
        if log[start + 8 : start + 16] != salt:
            break
        body = start + _FRAME_HEADER
        pages[int.from_bytes(log[start : start + 4], "big")] = log[body : body + page_size]
        size_in_pages = int.from_bytes(log[start + 4 : start + 8], "big")
        if size_in_pages:
            content.extend(bytes(max(0, size_in_pages * page_size - len(content))))
            for number, page in pages.items():
                content[(number - 1) * page_size : number * page_size] = page
            pages.clear()


def _table(connection: sqlite3.Connection, table: str) -> Iterator[Found]:
    quoted = table.replace('"', '""')
    rows = connection.execute(f'select * from "{quoted}"')
    names = [f"{table}.{description[0]}" for description in rows.description]
    while batch := rows.fetchmany(_ROWS_AT_A_TIME):
        for name, values in zip(names, zip(*batch, strict=True), strict=True):
            yield from _column(name, values)


def _column(place: str, values: Sequence[Any]) -> Iterator[Found]:
    """A column of SQLite may hold values of every type."""
    kinds: defaultdict[type, list[Any]] = defaultdict(list)
    for value in values:
        kinds[type(value)].append(value)
    if kinds[_Text]:
        yield Piece(place=place, content=b"\n".join(kinds[_Text]), form="text")
    if kinds[bytes]:
        yield from blob_pieces(place, kinds[bytes])
    numbers = [str(number) for number in kinds[int]] + [str(int(n)) for n in kinds[float] if n.is_integer()]
    if numbers:
        yield Piece(place=place, content="\n".join(numbers).encode(), form="numbers")
