"""Pulls event files, killed at every step-th line, and again; run by test_events_killed.

Ends with a line that says after how many kills every good event was in landing and every broken one in quarantine once.
"""

import shutil
import sys
from pathlib import Path

from ingestion.events import EventsPull, pull_events
from ingestion.landing import open_landing
from ingestion.quarantine import Quarantine
from storage import Workspace
from tests.ingestion.conftest import make_workspace
from tests.ingestion.event_lines import event, landed_events, write_file
from tests.ingestion.killing import run_in_child

MODULES = (
    "ingestion.events",
    "ingestion.event_files",
    "ingestion.event_store",
    "ingestion.quarantine",
    "ingestion.landing",
    "ingestion.register",
    "storage.durable",
)
FILES = ("a", "b", "c")
GOOD = [f"{name}-{number:02}" for name in FILES for number in range(20)]


def pull(workspace: Workspace, root: Path) -> None:
    with open_landing(workspace) as landing:
        pull_events(workspace, landing, root=str(root), chunk_lines=25)


def pull_and_check(workspace: Workspace, root: Path) -> None:
    pull(workspace, root)
    with open_landing(workspace) as landing:
        assert pull_events(workspace, landing, root=str(root)) == EventsPull()
        names = {batch.path.name for batch in landing.pending("test")}
    assert {row["message_id"] for row in landed_events(workspace)} == set(GOOD)
    broken = Quarantine(workspace).list().to_pylist()
    assert sorted(row["position"] for row in broken) == [f"dt=2026-11-10/{name}.jsonl.gz" for name in FILES]
    left = {path.name for path in workspace.home.landing.iterdir()}
    assert left == {"landing.lock", "register.sqlite", *names}


def main(folder: Path, first: int, step: int) -> None:
    root = folder / "events"
    for name in FILES:
        write_file(root, ["broken", *(event(message_id) for message_id in GOOD if message_id[0] == name)], name=name)
    line, ended = first, False
    while not ended:
        workspace = make_workspace(folder / "home")
        workspace.home.root.mkdir(parents=True)
        workspace.home.extensions.symlink_to(folder / "extensions")
        ended = run_in_child(lambda: pull(workspace, root), kill_at_line=line, modules=MODULES)  # noqa: B023
        run_in_child(lambda: pull_and_check(workspace, root))  # noqa: B023
        shutil.rmtree(workspace.home.root)
        line += step
    print("survived", (line - first) // step - 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
