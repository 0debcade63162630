"""Quarantined rows go the normal way exactly once when they pass, and stay otherwise."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ingestion.events import pull_events
from ingestion.landing import open_landing
from ingestion.quarantine import Quarantine, QuarantinedRow
from ingestion.replay import Replay, replay_quarantine
from storage import Workspace
from tests.ingestion.event_lines import context, event, landed_events, write_file

EARLY = datetime(2040, 1, 1, tzinfo=UTC)
"""Later than any real clock, by which a time in the future is judged too."""
LATER = EARLY + timedelta(days=5)


def from_tomorrow(message_id: str, **changes: Any) -> dict[str, Any]:
    """Received in the future, as of EARLY: what passes once the clock has been put right."""
    return event(message_id, receivedAt=(EARLY + timedelta(days=4)).isoformat(), **changes)


def quarantine_file(workspace: Workspace, folder: Path, *lines: Any) -> Workspace:
    folder.mkdir(exist_ok=True)
    write_file(folder, lines, day="2040-01-01")
    early = replace(workspace, now=EARLY)
    with open_landing(early) as landing:
        pull_events(early, landing, root=str(folder))
    return replace(workspace, now=LATER)


def replayed(workspace: Workspace) -> Replay:
    with open_landing(workspace) as landing:
        return replay_quarantine(workspace, landing)


def messages(workspace: Workspace) -> list[str]:
    return [row["message_id"] for row in landed_events(workspace)]


def test_what_passes_by_now_is_landed_once_and_the_rest_stays(workspace: Workspace, tmp_path: Path) -> None:
    later = quarantine_file(workspace, tmp_path / "e", from_tomorrow("m1"), event("good"), "{", from_tomorrow("m2"))
    assert messages(later) == ["good"]
    assert replayed(later) == Replay(passed=2, landed=2, left=1)
    assert messages(later) == ["good", "m1", "m2"]
    assert [row["reason_code"] for row in Quarantine(later).list().to_pylist()] == ["not_json"]
    assert replayed(later) == Replay(passed=0, landed=0, left=1)
    assert messages(later) == ["good", "m1", "m2"]


def test_consent_holds_for_a_replayed_row_too(workspace: Workspace, tmp_path: Path) -> None:
    refused = from_tomorrow("m1", context=context(analytics=False, marketing=False))
    later = quarantine_file(workspace, tmp_path / "e", refused)
    assert replayed(later) == Replay(passed=1, landed=0, left=0)
    assert messages(later) == []


def test_doubles_in_quarantine_land_once(workspace: Workspace, tmp_path: Path) -> None:
    later = quarantine_file(workspace, tmp_path / "e", from_tomorrow("m1"), from_tomorrow("m1"))
    assert replayed(later) == Replay(passed=2, landed=1, left=0)


def test_what_has_expired_is_not_replayed(workspace: Workspace, tmp_path: Path) -> None:
    later = quarantine_file(workspace, tmp_path / "e", from_tomorrow("m1"))
    assert replayed(replace(later, now=EARLY + timedelta(days=14))) == Replay()


def test_a_damaged_file_and_another_sources_row_stay(workspace: Workspace, tmp_path: Path) -> None:
    later = quarantine_file(workspace, tmp_path / "e", event("good"))
    (tmp_path / "e" / "dt=2040-01-01" / "b.jsonl.gz").write_bytes(b"")
    quarantine_file(workspace, tmp_path / "e", event("good"))
    row = QuarantinedRow(
        source="stripe", position="charge", line=None, reason_code="shape", reason="no id", content=b"{}"
    )
    Quarantine(replace(later, now=EARLY)).add([row])
    assert replayed(later) == Replay(passed=0, landed=0, left=2)


def test_a_row_is_removed_by_its_id_and_no_id_says_what_it_holds(workspace: Workspace, tmp_path: Path) -> None:
    later = quarantine_file(workspace, tmp_path / "e", "{", "{", "[")
    quarantine = Quarantine(later)
    rows = quarantine.with_ids(quarantine.identified()["row_id"].to_pylist()).to_pylist()
    assert len({row["row_id"] for row in rows}) == 3
    assert quarantine.counts() == [
        {"source": "events", "reason_code": "not_json", "rows": 3, "oldest": EARLY},
    ]
    assert quarantine.remove([rows[0]["row_id"], "ffffffffffff"]) == 1
    left = quarantine.identified().to_pylist()
    assert [row["row_id"] for row in left] == [row["row_id"] for row in rows[1:]]
    assert {row["quarantined_at"] for row in left} == {EARLY}
    assert quarantine.remove([]) == 0
