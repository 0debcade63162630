"""Rotates keys of copies of a LEII_HOME, killed at every step-th line; run by test_rotation.

Ends with a line that says how many kills it survived, or fails.
"""

import shutil
import sys
from functools import partial
from pathlib import Path

from pseudonymisation.policy.reading import load_policy
from tests.ingestion.killing import run_in_child
from tests.pseudonymisation.rotated import (
    finish,
    held_tables,
    purpose_tables,
    rekeyed,
    rotate,
    vault_tables,
    workspace_of,
)

NAMES = ("purpose:accounting", "vault")
MODULES = ("pseudonymisation.rotation", "storage.keyring", "storage.duckdb_files", "storage.durable")
POLICY = load_policy()


def attempt(home: Path, name: str) -> None:
    rotate(home, POLICY, name)


def finish_and_check(before: Path, home: Path, name: str) -> None:
    """As an operator does who sees the command killed and gives it again."""
    if name not in finish(home, POLICY).keyring.layers:
        rotate(home, POLICY, name)
    check(before, home, name)


def check(before: Path, home: Path, name: str) -> None:
    old, new = workspace_of(before), workspace_of(home)
    assert len(new.keyring.layers[name]) == 1, "it was rotated twice"
    assert not [*home.rglob(".*.new*"), *home.rglob(".*.tmp")], "something unfinished is left"
    if name == "vault":
        key = new.keyring.zone_key("vault", "alias")
        assert vault_tables(new) == rekeyed(vault_tables(old), key, keep=("subject_id", "case_id"))
        return
    key, held = new.keyring.purpose_key("accounting", "pseudonym"), held_tables(old)
    assert purpose_tables(new, "accounting") == rekeyed(purpose_tables(old, "accounting"), key)
    assert held_tables(new) == {**held, **rekeyed({"row": held["row"]}, key)}


def main(before: Path, work: Path, first: int, step: int) -> None:
    kills = 0
    for name in NAMES:
        line, ended = first, False
        while not ended:
            home = work / f"{name.replace(':', '-')}-{line}"
            shutil.copytree(before, home, symlinks=True)
            ended = run_in_child(partial(attempt, home, name), kill_at_line=line, modules=MODULES)
            run_in_child(partial(finish_and_check, before, home, name))
            shutil.rmtree(home)
            kills, line = kills + (not ended), line + step
    print(kills)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
