"""Changing Stripe's files: a newer line takes the place of an older one of the same object, new ones are put at the end.

An index beside the files, in the order of their lines, says which line is whose: `key`, `created`, `id`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from demo.world.output import read_table, write_table
from demo.world.stripe_files import ordered

_INDEX = ("key", "created", "id")


def write_new(folder: Path, state: Path, kind: str, parts: Iterator[pl.DataFrame]) -> int:
    """The first version of a file, with its index, from rendered lines in the order of the file; gives their number."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{kind}.jsonl"
    index = []
    with temporary.open("wb") as out:
        for part in parts:
            out.writelines(f"{line}\n".encode() for line in part["line"])
            index.append(part.select(_INDEX))
    temporary.replace(folder / f"{kind}.jsonl")
    whole = pl.concat(index)
    write_table(state, f"index.{kind}", whole)
    return whole.height


def merge(folder: Path, state: Path, kind: str, news: pl.DataFrame, *, forget_before: int | None = None) -> int:
    """Puts newer and new lines into a file; lines made before `forget_before` are left out. Gives the lines."""
    index = read_table(state, f"index.{kind}")
    if index is None:
        raise FileNotFoundError(f"{state} lacks index.{kind}.parquet: generate the world anew")
    placed = index.with_row_index("row").join(
        news.select("key", "line", new_id="id"), on="key", how="left", maintain_order="left"
    )
    changes = dict(placed.filter(pl.col("line").is_not_null()).select("row", "line").iter_rows())
    added = ordered(kind, news.join(index, on="key", how="anti", maintain_order="left"))
    keep = placed["created"] >= (forget_before if forget_before is not None else 0)
    file = folder / f"{kind}.jsonl"
    temporary = folder / f".{kind}.jsonl"
    with file.open("rb") as old, temporary.open("wb") as new:
        for row, (line, kept) in enumerate(zip(old, keep, strict=True)):
            if kept:
                new.write(f"{changes[row]}\n".encode() if row in changes else line)
        new.writelines(f"{line}\n".encode() for line in added["line"])
    temporary.replace(file)
    kept_index = placed.with_columns(id=pl.coalesce("new_id", "id")).filter(keep).select(_INDEX)
    whole = pl.concat([kept_index, added.select(_INDEX)])
    write_table(state, f"index.{kind}", whole)
    return whole.height
