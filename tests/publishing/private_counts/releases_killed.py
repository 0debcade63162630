"""Publishes noisy counts on copies of a LEII_HOME, killed at every step-th line; run by test_releasing.

Ends with a line that says how many kills it survived, and after how many of them something was paid for and not told.
"""

import shutil
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import opendp.measurements  # noqa: F401 - once here instead of in every child

from publishing.copies import current_version, publish_purpose
from publishing.private_counts.ledger import read_ledger
from publishing.readers import open_published
from storage import Workspace
from tests.ingestion.killing import run_in_child
from tests.pseudonymisation.rotated import workspace_of
from tests.publishing.private_counts.by_hand import PURPOSE, edition_of, manifest_in, wanted

MODULES = (
    "publishing.private_counts.releasing", "publishing.private_counts.ledger", "publishing.copies", "storage.durable",
)  # fmt: skip
EVERYTHING = "SELECT * FROM marts.private_count ORDER BY ALL"


def at(home: Path) -> Workspace:
    return replace(workspace_of(home), now=edition_of(10))


def publish(home: Path, manifest: Path) -> None:
    publish_purpose(at(home), PURPOSE, manifest, private_counts=wanted())


def told(workspace: Workspace) -> tuple[set[int], list[tuple[object, ...]]]:
    """The ledger's entries that are published, and every cell."""
    if current_version(workspace.home, PURPOSE) is None:
        return set(), []
    with open_published(workspace.home, workspace.keyring, PURPOSE) as con:
        entries = con.execute("SELECT ledger_entry FROM marts.private_count_release").fetchall()
        return {entry for (entry,) in entries}, con.execute(EVERYTHING).fetchall()


def check(home: Path, manifest: Path, lost: Path) -> None:
    """All that is told is paid for; what was told stands; what was paid for and lost is paid for again."""
    workspace = at(home)
    before = {one.entry for one in read_ledger(workspace.home)}
    entries, cells = told(workspace)
    assert entries <= before
    assert len(before) in (0, 2)
    publish(home, manifest)
    after, cells_after = told(workspace)
    assert len(after) == 2
    assert len(read_ledger(workspace.home)) == len(before) + (0 if entries else 2)
    if entries:
        assert (after, cells_after) == (entries, cells)
    elif before:
        with lost.open("a") as file:
            file.write("1\n")


def main(start: Path, work: Path, step: int) -> None:
    manifest, lost = manifest_in(work / "manifest"), work / "lost"
    lost.touch()
    line = 1
    while True:
        home = work / f"killed-{line}"
        shutil.copytree(start, home, symlinks=True)
        ended = run_in_child(partial(publish, home, manifest), kill_at_line=line, modules=MODULES)
        run_in_child(partial(check, home, manifest, lost))
        shutil.rmtree(home)
        if ended:
            break
        line += step
    print((line - 1) // step, len(lost.read_text().splitlines()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
