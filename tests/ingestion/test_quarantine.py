from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ingestion.quarantine import Quarantine, QuarantinedRow
from storage import Workspace
from tests.ingestion.conftest import NOW

PLANTED = b"Kari-Planted-Nordmann <kari@example.no>"


def broken(line: int = 12, content: bytes = PLANTED) -> QuarantinedRow:
    return QuarantinedRow(
        source="events",
        position="dt=2026-11-01/a.jsonl.gz",
        line=line,
        reason_code="not_json",
        reason="the line is not JSON",
        content=content,
    )


def all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_row_is_kept_with_where_it_stood_and_why(workspace: Workspace) -> None:
    assert Quarantine(workspace).add([broken()]) == 1
    assert Quarantine(workspace).list(with_content=True).to_pylist() == [
        {
            "source": "events",
            "position": "dt=2026-11-01/a.jsonl.gz",
            "line": 12,
            "reason_code": "not_json",
            "reason": "the line is not JSON",
            "content": PLANTED,
            "quarantined_at": NOW,
        }
    ]
    assert "content" not in Quarantine(workspace).list().column_names


def test_rows_are_found_by_their_ids_alone(workspace: Workspace) -> None:
    quarantine = Quarantine(workspace)
    quarantine.add([broken(1), broken(2), broken(3)])
    ids = quarantine.identified()["row_id"].to_pylist()
    found = quarantine.with_ids([ids[2], "ffffffffffff", ids[0]]).to_pylist()
    assert [(row["row_id"], row["line"], row["content"]) for row in found] == [
        (ids[0], 1, PLANTED),
        (ids[2], 3, PLANTED),
    ]
    assert quarantine.with_ids([]).num_rows == 0


def test_an_empty_quarantine_lists_nothing(workspace: Workspace) -> None:
    assert Quarantine(workspace).list(with_content=True).num_rows == 0
    assert Quarantine(workspace).add([]) == 0
    assert Quarantine(workspace).remove_expired(NOW) == 0


def test_no_byte_on_disk_shows_the_content_or_the_file(workspace: Workspace) -> None:
    Quarantine(workspace).add([broken(line) for line in range(100)])
    content = all_bytes(workspace.home.root)
    assert len(content) > 500
    assert b"Planted" not in content
    assert b"jsonl" not in content


def test_the_same_line_of_a_file_read_again_is_kept_once(workspace: Workspace) -> None:
    quarantine = Quarantine(workspace)
    assert quarantine.add([broken(1), broken(2)]) == 2
    assert quarantine.add([broken(2), broken(3)]) == 1
    assert quarantine.add([broken(2, content=b"another content")]) == 1
    assert sorted(quarantine.list()["line"].to_pylist()) == [1, 2, 2, 3]


def test_a_row_without_a_line_is_kept_once_too(workspace: Workspace) -> None:
    row = QuarantinedRow(
        source="stripe", position="charge", line=None, reason_code="shape", reason="no id", content=b"{}"
    )
    assert Quarantine(workspace).add([row]) == 1
    assert Quarantine(workspace).add([row]) == 0


def test_only_the_first_64_kilobytes_are_kept(workspace: Workspace) -> None:
    Quarantine(workspace).add([broken(content=b"x" * 200_000)])
    assert len(Quarantine(workspace).list(with_content=True)["content"][0].as_py()) == 65_536


@pytest.mark.parametrize(("age", "kept"), [(timedelta(days=14) - timedelta(seconds=1), 1), (timedelta(days=14), 0)])
def test_after_fourteen_days_a_row_is_gone_down_to_the_bytes(
    workspace: Workspace, workspace_at: Callable[[datetime], Workspace], age: timedelta, kept: int
) -> None:
    Quarantine(workspace).add([broken()])
    later = workspace_at(NOW + age)
    assert Quarantine(later).remove_expired(later.now) == 1 - kept
    assert Quarantine(later).list().num_rows == kept
    assert len(list(workspace.home.quarantine.iterdir())) == kept


def test_rows_of_other_days_stay_when_one_expires(
    workspace: Workspace, workspace_at: Callable[[datetime], Workspace]
) -> None:
    Quarantine(workspace).add([broken(1)])
    Quarantine(workspace_at(NOW + timedelta(days=3))).add([broken(2)])
    Quarantine(workspace).remove_expired(NOW + timedelta(days=15))
    assert Quarantine(workspace).list()["line"].to_pylist() == [2]


def test_what_holds_an_identifier_can_be_forgotten_and_keeps_its_time(
    workspace: Workspace, workspace_at: Callable[[datetime], Workspace]
) -> None:
    Quarantine(workspace).add([broken(1), broken(2, content=b"somebody else"), broken(3, content=b"\xff\x00 broken")])
    before = {path.name for path in workspace.home.quarantine.iterdir()}
    later = workspace_at(NOW + timedelta(days=2))
    assert Quarantine(later).forget(["KARI@example.no", "", "nobody"]) == 1
    left = Quarantine(later).list()
    assert sorted(left["line"].to_pylist()) == [2, 3]
    assert set(left["quarantined_at"].to_pylist()) == {NOW}
    assert before.isdisjoint(path.name for path in workspace.home.quarantine.iterdir())


def test_forgetting_the_only_row_of_a_file_leaves_no_file(workspace: Workspace) -> None:
    Quarantine(workspace).add([broken()])
    assert Quarantine(workspace).forget(["Planted"]) == 1
    assert list(workspace.home.quarantine.iterdir()) == []
    assert Quarantine(workspace).forget([]) == 0
