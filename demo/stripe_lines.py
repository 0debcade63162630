"""Reads files of Stripe objects, one JSON object a line, into an index of where each object stands.

An index row holds positions, times and 64-bit hashes of the fields that a list filters on: no text, no parsed object.
The hashes live as long as the process and are written nowhere.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from demo.stripe_resources import ACCOUNT_PARTS, OWNER_KEY, RANGE_COLUMNS, TEXT_COLUMNS, UNDATED_TYPES
from storage.errors import LeiiError

CHUNK_BYTES = 16 * 1024 * 1024
NEWLINE, BRACE = ord("\n"), ord("{")

_TEXTS = sorted({"id", "object", OWNER_KEY}.union(*TEXT_COLUMNS.values()))
_NUMBERS = sorted({"created"}.union(*RANGE_COLUMNS.values()))
LINE_SCHEMA = pl.Schema(
    {name: pl.String() for name in _TEXTS} | {name: pl.Int64() for name in _NUMBERS} | {"deleted": pl.Boolean()}
)


class BrokenLineError(LeiiError):
    """A line that is no Stripe object: names the file and the line, never what is in it."""


@dataclass(frozen=True, kw_only=True)
class LineSpans:
    """Where the lines of a chunk stand: byte positions in the chunk, and the 1-based line numbers in the file."""

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    numbers: NDArray[np.int64]


def hash_text(value: str) -> int:
    """The hash under which the index keeps a text."""
    return int(pl.Series([value], dtype=pl.String).hash()[0])


def index_file(descriptor: int, name: str, file_number: int) -> Iterator[tuple[str, pl.DataFrame, set[str]]]:
    """For each chunk of a file and each object type in it: the type, its index rows, and its distinct `type` values.

    Reads by position from an open descriptor, so that a file replaced meanwhile is still read whole.
    Raises BrokenLineError for a line that is not a Stripe object.
    """
    for chunk, offset, first_line in _chunks(descriptor):
        spans = _spans(chunk, first_line)
        lines = _parse(chunk, spans, name)
        _require_object_fields(lines, spans, name)
        for (type_name,), rows in lines.partition_by("object", as_dict=True).items():
            kinds = rows["type"].drop_nulls().unique().to_list() if type_name == "event" else []
            yield str(type_name), _index_rows(rows, str(type_name), spans, offset, file_number), set(kinds)


def _chunks(descriptor: int) -> Iterator[tuple[bytes, int, int]]:
    """Whole lines of about CHUNK_BYTES, each with its byte offset in the file and the number of its first line."""
    position, first_line, size = 0, 1, CHUNK_BYTES
    while block := os.pread(descriptor, size, position):
        whole = block.rfind(b"\n") + 1
        if len(block) == size and not whole:
            size *= 2  # a line longer than a chunk
            continue
        chunk = block[:whole] if whole else block
        if not chunk.isspace():
            yield chunk, position, first_line
        position += len(chunk)
        first_line += chunk.count(b"\n")
        size = CHUNK_BYTES


def _spans(chunk: bytes, first_line: int) -> LineSpans:
    """The lines of a chunk that hold anything."""
    characters = np.frombuffer(chunk, dtype=np.uint8)
    ends = np.flatnonzero(characters == NEWLINE).astype(np.int64)
    if not chunk.endswith(b"\n"):
        ends = np.append(ends, len(chunk))
    starts = np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1] + 1])
    filled = ends > starts
    for line in np.flatnonzero(filled & (characters[np.minimum(starts, len(chunk) - 1)] != BRACE)):
        filled[line] = bool(chunk[starts[line] : ends[line]].strip())
    numbers = first_line + np.flatnonzero(filled).astype(np.int64)
    return LineSpans(starts=starts[filled], lengths=(ends - starts)[filled], numbers=numbers)


def _parse(chunk: bytes, spans: LineSpans, name: str) -> pl.DataFrame:
    lines = _read(chunk)
    if lines is None or lines.height != len(spans.numbers):
        raise _broken_line(chunk, spans, name)
    return lines


def _read(lines: bytes) -> pl.DataFrame | None:
    """The indexed fields of each line, in the lines' order (`line` counts them), or None if any line is broken."""
    try:
        return pl.scan_ndjson(lines, schema=LINE_SCHEMA, row_index_name="line").collect().sort("line")
    except pl.exceptions.PolarsError:
        return None


def _broken_line(chunk: bytes, spans: LineSpans, name: str) -> BrokenLineError:
    """Finds the first broken line by halving."""
    low, high = 0, len(spans.numbers)
    while high - low > 1:
        middle = (low + high) // 2
        first, last = int(spans.starts[low]), int(spans.starts[middle - 1] + spans.lengths[middle - 1])
        lines = _read(chunk[first:last])
        low, high = (low, middle) if lines is None or lines.height != middle - low else (middle, high)
    start = int(spans.starts[low])
    try:
        value: Any = json.loads(chunk[start : start + int(spans.lengths[low])])
        reason = "a field has the wrong type" if isinstance(value, dict) else "is no JSON object"
    except ValueError:
        reason = "is no JSON"
    return _refusal(name, int(spans.numbers[low]), reason)


def _refusal(name: str, line: int, reason: str) -> BrokenLineError:
    return BrokenLineError(
        f"{name}, line {line}: {reason}. Every line must be one Stripe object; mend or remove the line."
    )


def _require_object_fields(lines: pl.DataFrame, spans: LineSpans, name: str) -> None:
    dated = pl.col("deleted").fill_null(False) | pl.col("object").is_in(UNDATED_TYPES)
    rules = {
        "has no `id`": pl.col("id").is_null(),
        "has no `object`": pl.col("object").is_null(),
        "has no `created`": pl.col("created").is_null() & ~dated,
    }
    for reason, broken in rules.items():
        found = lines.filter(broken)["line"]
        if len(found):
            raise _refusal(name, int(spans.numbers[found[0]]), reason)


def _index_rows(
    rows: pl.DataFrame, type_name: str, spans: LineSpans, chunk_offset: int, file_number: int
) -> pl.DataFrame:
    """Index rows of one type. `owner` is the hash of the connected account, 0 for the platform."""
    at = rows["line"].to_numpy()
    if type_name in ACCOUNT_PARTS:
        rows = rows.with_columns(pl.coalesce("account", OWNER_KEY).alias("account"))
        owner = pl.lit(0, dtype=pl.UInt64)
    else:
        owner = _hashed(OWNER_KEY)
    return rows.select(
        pl.lit(file_number, dtype=pl.UInt32).alias("file"),
        pl.Series("offset", chunk_offset + spans.starts[at]),
        pl.Series("length", spans.lengths[at].astype(np.int32)),
        pl.col("created").fill_null(0),
        pl.col("deleted").fill_null(False),
        pl.col("id").hash(),
        owner.alias("owner"),
        *(_hashed(column).alias(f"={column}") for column in TEXT_COLUMNS.get(type_name, ())),
        *(pl.col(column) for column in RANGE_COLUMNS.get(type_name, ())),
    )


def _hashed(column: str) -> pl.Expr:
    return pl.when(pl.col(column).is_null()).then(pl.lit(0, dtype=pl.UInt64)).otherwise(pl.col(column).hash())
