"""A world's folder: writing and reading its parts.

world.json              seed, size, clock, step, counts, next ids
app_db/<table>.parquet  what the app's database holds now
stripe/<type>.jsonl     what Stripe holds now
events/dt=…/*.jsonl.gz  what the event collector has received
truth/                  what the pipeline must find out by itself
state/                  what the world needs to go on: people, and versions of the future
"""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

WORLD_FORMAT = 1


def write_table(folder: Path, name: str, frame: pl.DataFrame) -> None:
    """One table of the app, or of the state, as Parquet. The same frame gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{name}.parquet"
    frame.write_parquet(temporary, compression="zstd", compression_level=1, statistics=False)
    temporary.replace(folder / f"{name}.parquet")


def read_table(folder: Path, name: str) -> pl.DataFrame | None:
    file = folder / f"{name}.parquet"
    return pl.read_parquet(file) if file.exists() else None


def write_gzip(file: Path, content: bytes) -> None:
    """Gzip without a clock or a name inside."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.part")
    temporary.write_bytes(gzip.compress(content, compresslevel=1, mtime=0))
    temporary.replace(file)


def append_json_rows(file: Path, frame: pl.DataFrame) -> None:
    """A small frame at the end of a file of JSON lines, keys in the order of its columns; the file is made if need be."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in frame.iter_rows(named=True))
    with file.open("a", encoding="utf-8") as out:
        out.write(rows)


def write_stripe_clock(world: Path, now: int) -> None:
    """What time it is for Stripe, told to its double."""
    temporary = world / "stripe" / ".clock.json"
    temporary.write_text(json.dumps({"now": datetime.fromtimestamp(now, UTC).isoformat()}) + "\n", encoding="utf-8")
    temporary.replace(world / "stripe" / "clock.json")


def write_world_file(world: Path, content: dict[str, Any]) -> None:
    """The last thing written: a folder without it is no world."""
    temporary = world / ".world.json"
    temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(world / "world.json")


def read_world_file(world: Path) -> dict[str, Any]:
    file = world / "world.json"
    if not file.exists():
        raise FileNotFoundError(
            f"{world} is no world: it has no world.json; make one with `leii demo generate --out {world}`"
        )
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if content.get("format") != WORLD_FORMAT:
        raise ValueError(f"{file} has format {content.get('format')}, not {WORLD_FORMAT}: generate the world anew")
    return content
