"""Makes and hands over notices on copies of a LEII_HOME, killed at every step-th line; run by test_notices.

Ends with a line that says how many kills it survived, or fails.
"""

import json
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pseudonymisation.notices.handing_over import confirm_hand_over, tidy_notices, write_hand_over
from pseudonymisation.notices.making import make_erasure_notices
from pseudonymisation.notices.store import open_notices, queue_of
from pseudonymisation.policy.reading import load_policy
from pseudonymisation.scan import identifiers_of, scan_home
from storage import LeiiError, Workspace
from tests.ingestion.killing import run_in_child
from tests.pseudonymisation.rotated import workspace_of

POLICY = load_policy()
MODULES = (
    "pseudonymisation.notices.making", "pseudonymisation.notices.handing_over", "pseudonymisation.notices.store",
    "storage.duckdb_files", "storage.durable",
)  # fmt: skip
RECIPIENT = "stripe"
EACH_ONCE = "SELECT recipient, count(*), count(DISTINCT notice_id) FROM notices.notice GROUP BY 1 ORDER BY 1"
CONTENT = "SELECT recipient, part, word, value FROM notices.content JOIN notices.notice USING (notice_id) ORDER BY ALL"


def stored(workspace: Workspace, sql: str) -> list[tuple[Any, ...]]:
    with workspace.connect() as con, open_notices(con, workspace):
        return con.execute(sql).fetchall()


def make(dsn: str, home: Path) -> None:
    make_erasure_notices(workspace_of(home), POLICY, dsn)


def hand_over(home: Path) -> None:
    write_hand_over(workspace_of(home), POLICY, RECIPIENT)


def confirm(home: Path) -> None:
    """What is written and not confirmed, if the kill came before its end."""
    workspace = workspace_of(home)
    for one in queue_of(workspace):
        if one.recipient == RECIPIENT and one.hand_over_id is not None:
            confirm_hand_over(workspace, one.hand_over_id)


def check_made(whole: Path, dsn: str, home: Path) -> None:
    make(dsn, home)
    for sql in (EACH_ONCE, CONTENT):
        assert stored(workspace_of(home), sql) == stored(workspace_of(whole), sql)


def check_written(whole: Path, home: Path) -> None:
    """Tidied as by the run after the kill, then asked for again: one file, whole, with an id that can be confirmed."""
    workspace = workspace_of(home)
    tidy_notices(workspace)
    written = write_hand_over(workspace, POLICY, RECIPIENT)
    assert [path.name for path in written.path.parent.iterdir()] == [written.path.name]
    told = [one["known_as"] for one in json.loads(written.path.read_text())["erased"]["people"]]
    names = [value for who, _, _, value in stored(workspace_of(whole), CONTENT) if who == RECIPIENT]
    assert sorted(value for known_as in told for values in known_as.values() for value in values) == sorted(names)
    assert confirm_hand_over(workspace, written.hand_over_id) == 1


def check_confirmed(whole: Path, home: Path) -> None:
    """The run after the kill tidies; nothing that the recipient was told is then anywhere."""
    workspace = workspace_of(home)
    names = [value for who, _, _, value in stored(workspace_of(whole), CONTENT) if who == RECIPIENT]
    confirm(home)
    tidy_notices(workspace)
    states = "SELECT state, count(*) FROM notices.notice WHERE recipient = 'stripe' GROUP BY 1"
    assert stored(workspace, states) == [("handed_over", 1)]
    report = scan_home(workspace, identifiers_of(names))
    assert (report.findings, report.unread) == ((), ()), (report.findings, report.unread)
    assert not [one for one in report.uncompacted if one.file.startswith("notices")]
    try:
        write_hand_over(workspace, POLICY, RECIPIENT)
    except LeiiError:
        return
    raise AssertionError("the recipient would be told twice")


def killed(start: Path, work: Path, attempt: Callable[[Path], None], check: Callable[[Path], None], step: int) -> int:
    """How often `attempt` could be killed on its way, and `check` found everything as it must be."""
    kills, line = 0, 1
    while True:
        home = work / f"{attempt.func.__name__ if isinstance(attempt, partial) else attempt.__name__}-{line}"
        shutil.copytree(start, home, symlinks=True)
        ended = run_in_child(partial(attempt, home), kill_at_line=line, modules=MODULES)
        run_in_child(partial(check, home))
        shutil.rmtree(home)
        if ended:
            return kills
        kills, line = kills + 1, line + step


def main(unmade: Path, certified: Path, dsn: str, work: Path, step: int) -> None:
    """`unmade`: an erasure has begun, nobody is told yet. `certified`: it is done, and everybody waits to be told."""
    written = work / "written"
    shutil.copytree(certified, written, symlinks=True)
    run_in_child(partial(hand_over, written))
    kills = killed(unmade, work, partial(make, dsn), partial(check_made, certified, dsn), step)
    kills += killed(certified, work, hand_over, partial(check_written, certified), step)
    kills += killed(written, work, confirm, partial(check_confirmed, certified), step)
    print(kills)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]), int(sys.argv[5]))
