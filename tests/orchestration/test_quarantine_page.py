"""`leii quarantine`: a list without content, one row on request, and once more after a fix."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingestion.quarantine import Quarantine, QuarantinedRow
from orchestration.cli import main
from orchestration.settings import load_settings

SECRET = b'{"email": "kari.planted@example.no"\x1b[2J\xff'


@pytest.fixture
def row_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three rows in the quarantine of a LEII_HOME that the environment names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEII_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LEII_NOW", "2026-11-15T06:00:00Z")
    workspace = load_settings().workspace()
    names = ("dt=2026-11-14/a.jsonl.gz", "dt=2026-11-14/kari@example.no.jsonl.gz", "dt=2026-11-14/\x1b[2Jx.jsonl.gz")
    Quarantine(workspace).add(
        [
            QuarantinedRow(
                source="events",
                position=name,
                line=line,
                reason_code="not_json",
                reason="it is no JSON",
                content=SECRET,
            )
            for line, name in enumerate(names)
        ]
    )
    rows = Quarantine(workspace).identified().to_pylist()
    return [row["row_id"] for name in names for row in rows if row["position"] == name]


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str, int]:
    code = 0
    try:
        main(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    return out, err, code


def listed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(said(capsys, "quarantine", "--json")[0])
    return rows


def test_the_list_says_where_and_why_and_nothing_of_the_content(
    row_ids: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {row["id"]: row for row in listed(capsys)}
    assert rows[row_ids[0]] == {
        "id": row_ids[0],
        "source": "events",
        "position": "dt=2026-11-14/a.jsonl.gz",
        "line": None,
        "reason_code": "not_json",
        "reason": "it is no JSON",
        "quarantined_at": "2026-11-15T06:00:00+00:00",
        "deleted_at": "2026-11-29T06:00:00+00:00",
    }
    assert rows[row_ids[1]]["position"] == "dt=2026-11-14/(a name that is not shown)"
    shown = said(capsys, "quarantine")[0]
    assert row_ids[0] in shown
    assert "kari" not in shown + json.dumps(rows)


def test_raw_data_is_shown_only_where_it_is_asked_for(row_ids: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    out, err, code = said(capsys, "quarantine", "show", row_ids[0])
    assert (out, code) == ("", 1)
    assert "--raw" in err
    out, err, code = said(capsys, "quarantine", "show", row_ids[0], "--raw")
    assert code == 0
    assert "raw data" in err
    assert "kari.planted@example.no" in out
    assert "\x1b" not in out + err
    assert r"\x1b[2J\xff" in out
    out, err, _ = said(capsys, "quarantine", "show", row_ids[2], "--raw")
    assert "dt=2026-11-14/?[2Jx.jsonl.gz" in err
    assert "\x1b" not in out + err
    _, err, code = said(capsys, "quarantine", "show", "000000000000", "--raw")
    assert code == 1
    assert "no row of that id" in err


def test_replay_says_what_it_did(row_ids: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    out, _, code = said(capsys, "quarantine", "replay", "--json")
    assert (json.loads(out), code) == ({"passed": 0, "landed": 0, "left": len(row_ids)}, 0)


def test_it_empties_itself(row_ids: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("LEII_NOW", datetime(2026, 11, 29, 6, tzinfo=UTC).isoformat())
    assert listed(capsys) == []


def test_status_counts_by_source_and_reason(row_ids: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    standing = json.loads(said(capsys, "status", "--json")[0])
    assert standing["quarantine"]["rows"] == [
        {"source": "events", "reason_code": "not_json", "rows": 3, "oldest": "2026-11-15T06:00:00+00:00"}
    ]
