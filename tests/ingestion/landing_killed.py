"""Moves the numbers 0 to 19 through landing to two takers, killed at every step-th line; run by test_landing_killed.

Ends with a line that says how many kills it survived, or fails.
"""

import shutil
import sqlite3
import sys
from pathlib import Path

import duckdb
import pyarrow as pa

from ingestion.landing import Batch, Landing, open_landing
from storage import Workspace
from tests.ingestion.conftest import make_workspace
from tests.ingestion.killing import run_in_child

NUMBERS = range(20)
TAKERS = ("fraud", "matching")
MODULES = ("ingestion.landing", "ingestion.register", "storage.durable")


def write_take_and_remove(workspace: Workspace) -> None:
    with open_landing(workspace) as landing, workspace.connect() as con:
        while (read := landing.cursor("app_db", "number").get("read", 0)) < len(NUMBERS):
            table = pa.table({"number": list(NUMBERS[read : read + 10])})
            landing.write("app_db", "number", "rows", table, {"read": read + 10})
            for taker in TAKERS:
                take(con, workspace, landing, taker)
            landing.remove_taken_by_all(TAKERS)
        for taker in TAKERS:
            take(con, workspace, landing, taker)
        landing.remove_taken_by_all(TAKERS)


def take(con: duckdb.DuckDBPyConnection, workspace: Workspace, landing: Landing, taker: str) -> None:
    """As a purpose does: the rows and the number of their batch enter its file in one transaction."""
    with sqlite3.connect(workspace.home.root / f"{taker}.sqlite") as target:
        target.execute("create table if not exists number (number integer)")
        target.execute("create table if not exists batch (batch_id integer primary key)")
    batches = landing.pending(taker)
    for batch in batches:
        with sqlite3.connect(workspace.home.root / f"{taker}.sqlite") as target:
            if target.execute("insert or ignore into batch values (?)", (batch.batch_id,)).rowcount:
                target.executemany("insert into number values (?)", numbers_of(con, landing, batch))
    landing.mark_taken(taker, [batch.batch_id for batch in batches])


def numbers_of(con: duckdb.DuckDBPyConnection, landing: Landing, batch: Batch) -> list[tuple[int]]:
    return con.sql(f"select number from {landing.relation_sql(con, batch)}").fetchall()


def check(workspace: Workspace) -> None:
    for taker in TAKERS:
        with sqlite3.connect(workspace.home.root / f"{taker}.sqlite") as target:
            found = [number for (number,) in target.execute("select number from number order by number")]
        assert found == list(NUMBERS), f"{taker} has {found}"
    left = sorted(path.name for path in workspace.home.landing.iterdir())
    assert left == ["landing.lock", "register.sqlite"], left


def main(root: Path, first: int, step: int) -> None:
    line, killed = first, True
    while killed:
        workspace = make_workspace(root / "home")
        workspace.home.root.mkdir(parents=True)
        workspace.home.extensions.symlink_to(root / "extensions")
        killed = not run_in_child(lambda: write_take_and_remove(workspace), kill_at_line=line, modules=MODULES)  # noqa: B023
        run_in_child(lambda: write_take_and_remove(workspace))  # noqa: B023
        check(workspace)
        shutil.rmtree(workspace.home.root)
        line += step
    print("survived", (line - first) // step - 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
