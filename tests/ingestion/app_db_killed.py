"""Pulls the app database, killed at every step-th line, and again; run by test_app_db_killed.

Ends with a line that says after how many kills landing still gave exactly the source, or fails.
"""

import random
import shutil
import sys
from pathlib import Path

import psycopg

from ingestion.app_db import pull_app_db
from ingestion.landing import open_landing
from storage import Workspace
from tests.ingestion.app_db_world import TABLES, Mirror, assert_equal, change_at_random
from tests.ingestion.conftest import make_workspace
from tests.ingestion.killing import run_in_child

MODULES = ("ingestion.app_db", "ingestion.app_db_queries", "ingestion.landing", "ingestion.register", "storage.durable")


def pull(workspace: Workspace, dsn: str) -> None:
    with open_landing(workspace) as landing:
        pulls = pull_app_db(workspace, landing, dsn=dsn, tables=TABLES)
    assert [pull.error for pull in pulls if pull.error] == []


def check(workspace: Workspace, dsn: str) -> None:
    mirror = Mirror(workspace)
    with open_landing(workspace) as landing:
        mirror.apply_pending(landing)
    assert_equal(mirror, dsn)
    left = sorted(path.name for path in workspace.home.landing.iterdir())
    assert left == ["landing.lock", "register.sqlite"], left


def pull_killed_and_again(folder: Path, dsn: str, line: int) -> bool:
    """True if the pull was killed before it ended."""
    workspace = make_workspace(folder / "home")
    workspace.home.root.mkdir(parents=True)
    workspace.home.extensions.symlink_to(folder / "extensions")
    run_in_child(lambda: pull(workspace, dsn))
    with psycopg.connect(dsn) as connection:
        connection.execute("set session_replication_role = replica")
        for minute in (line, line + 1):
            change_at_random(connection, random.Random(minute), minute)
    ended = run_in_child(lambda: pull(workspace, dsn), kill_at_line=line, modules=MODULES)
    run_in_child(lambda: pull(workspace, dsn))
    run_in_child(lambda: check(workspace, dsn))
    shutil.rmtree(workspace.home.root)
    return not ended


def main(folder: Path, dsn: str, first: int, step: int) -> None:
    line = first
    while pull_killed_and_again(folder, dsn, line):
        line += step
    print("survived", (line - first) // step)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
