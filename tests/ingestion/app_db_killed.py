"""Pulls the app database, killed at every step-th line, and again; run by test_app_db_killed and test_app_db_replication.

One LEII_HOME lives through all of it. Ends with a line that says after how many kills landing still gave exactly the
source, or fails.
"""

import random
import sys
from pathlib import Path

import psycopg

from ingestion.app_db import pull_app_db
from ingestion.app_db_source import AppDbSource
from ingestion.landing import open_landing
from storage import Workspace
from tests.ingestion.app_db_world import TABLES, Mirror, assert_equal, change_at_random
from tests.ingestion.conftest import make_workspace
from tests.ingestion.killing import run_in_child

MODULES = (
    "ingestion.app_db",
    "ingestion.app_db_changes",
    "ingestion.app_db_pass",
    "ingestion.app_db_queries",
    "ingestion.app_db_replication",
    "ingestion.app_db_slot",
    "ingestion.app_db_staging",
    "ingestion.app_db_state",
    "ingestion.app_db_tables",
    "ingestion.landing",
    "ingestion.register",
    "storage.durable",
)


def pull(workspace: Workspace, dsn: str, is_replicated: bool) -> None:
    with open_landing(workspace) as landing:
        pull = pull_app_db(workspace, landing, AppDbSource(dsn=dsn, is_replicated=is_replicated), tables=TABLES)
    assert [one.error for one in pull.tables if one.error] == []


def pull_and_check(workspace: Workspace, dsn: str, is_replicated: bool) -> None:
    pull(workspace, dsn, is_replicated)
    mirror = Mirror(workspace, file=workspace.home.root.parent / "mirror.duckdb")
    with open_landing(workspace) as landing:
        mirror.apply_pending(landing)
    assert_equal(mirror, dsn)
    mirror.close()
    left = sorted(path.name for path in workspace.home.landing.iterdir())
    assert left == ["landing.lock", "register.sqlite"], left


def pull_killed_and_again(workspace: Workspace, dsn: str, line: int, is_replicated: bool) -> bool:
    """True if the pull was killed before it ended."""
    with psycopg.connect(dsn) as connection:
        connection.execute("set session_replication_role = replica")
        for minute in (line, line + 1):
            change_at_random(connection, random.Random(minute), minute)
    ended = run_in_child(lambda: pull(workspace, dsn, is_replicated), kill_at_line=line, modules=MODULES)
    run_in_child(lambda: pull_and_check(workspace, dsn, is_replicated))
    return not ended


def main(folder: Path, dsn: str, first: int, step: int, *, is_replicated: bool) -> None:
    workspace = make_workspace(folder / "home")
    workspace.home.root.mkdir(parents=True)
    workspace.home.extensions.symlink_to(folder / "extensions")
    run_in_child(lambda: pull_and_check(workspace, dsn, is_replicated))
    line = first
    while pull_killed_and_again(workspace, dsn, line, is_replicated):
        line += step
    print("survived", (line - first) // step)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), is_replicated="replicated" in sys.argv[5:])
