"""What a world remembers in order to go on: people, offers, versions of the future, money not yet paid out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from demo.world.output import read_table, write_table
from demo.world.tables import WORLD_TABLES

_TABLE, _OBJECT = "table.", "object."


@dataclass(frozen=True, kw_only=True)
class State:
    """`tables` and `objects` are versions whose time has not come; `entries` balance entries that are not made yet.

    `unpaid` are those made and not paid out, `payment_methods` the ids that exist, `privacy_truth` requests to come.
    """

    people: pl.DataFrame
    offers: pl.DataFrame
    tables: dict[str, pl.DataFrame]
    objects: dict[str, pl.DataFrame]
    entries: pl.DataFrame
    unpaid: pl.DataFrame
    payment_methods: pl.DataFrame
    privacy_truth: pl.DataFrame


_SINGLE = ("people", "offers", "entries", "unpaid", "payment_methods", "privacy_truth")


def write_state(world: Path, state: State) -> None:
    folder = world / "state"
    for name in _SINGLE:
        write_table(folder, name, getattr(state, name))
    for prefix, frames in ((_TABLE, state.tables), (_OBJECT, state.objects)):
        for name, frame in frames.items():
            write_table(folder, prefix + name, frame)


def read_state(world: Path) -> State:
    folder = world / "state"
    files = sorted(path.name.removesuffix(".parquet") for path in folder.glob("*.parquet"))
    return State(
        **{name: _read(folder, name) for name in _SINGLE},
        tables={name.removeprefix(_TABLE): _read(folder, name) for name in files if name.startswith(_TABLE)},
        objects={name.removeprefix(_OBJECT): _read(folder, name) for name in files if name.startswith(_OBJECT)},
    )


def read_app_tables(world: Path) -> dict[str, pl.DataFrame]:
    """What the app's database holds, by table."""
    return {name: _read(world / "app_db", name) for name in WORLD_TABLES}


def known_frauds(world: Path) -> set[str]:
    """The accounts that the truth calls fraudulent."""
    lines = (world / "truth" / "fraud.jsonl").read_text(encoding="utf-8").splitlines()
    return {json.loads(line)["account_id"] for line in lines}


def _read(folder: Path, name: str) -> pl.DataFrame:
    frame = read_table(folder, name)
    if frame is None:
        raise FileNotFoundError(f"{folder} lacks {name}.parquet: generate the world anew")
    return frame
