"""A tiny world and a PostgreSQL that holds it, made once for all tests of the demo."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from demo.loading import load_world
from demo.postgres import DemoPostgres, running_postgres
from demo.world.generate import generate_world
from demo.world.spec import world_spec


@dataclass(frozen=True, kw_only=True)
class World:
    """A generated world, read back from its folder."""

    folder: Path
    content: dict[str, Any]

    @property
    def now(self) -> int:
        return int(self.content["now"])

    def table(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.folder / "app_db" / f"{name}.parquet")

    def objects(self, kind: str) -> list[dict[str, Any]]:
        return json_lines(self.folder / "stripe" / f"{kind}.jsonl")

    def truth(self, name: str) -> list[dict[str, Any]]:
        return json_lines(self.folder / "truth" / f"{name}.jsonl")


def json_lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def make_world(folder: Path, *, seed: int = 7, accounts: int = 60, bookings: int = 200, events: int = 800) -> World:
    spec = world_spec(seed=seed, accounts=accounts, bookings=bookings, events=events)
    return World(folder=folder, content=generate_world(folder, spec))


def file_bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("tiny-world"))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoPostgres]:
    with running_postgres(tmp_path_factory.mktemp("demo-postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def loaded(world: World, postgres: DemoPostgres) -> DemoPostgres:
    """The server with the tiny world in it; no test may leave it changed."""
    load_world(world.folder, postgres.admin_dsn)
    return postgres
