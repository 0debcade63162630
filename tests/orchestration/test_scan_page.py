"""`leii scan`: what it prints, how it ends, and that no value is ever shown."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from orchestration.scan_page import compact
from storage import Home, exclusive_run
from storage.keyring import create_keyring

LEII = Path(sys.executable).with_name("leii")
KARI, OLA = "kari.nordmann@example.no", "ola.nordmann@example.no"


def scan(home: Path, *options: str, given: str = f"{OLA}\n{KARI}\n") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(LEII), "scan", "-", *options],
        cwd=home.parent,
        env={"PATH": str(LEII.parent), "HOME": str(home.parent), "LEII_HOME": str(home), "COLUMNS": "60"},
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    root = tmp_path / "home"
    root.mkdir()
    create_keyring(root / "keyring.json", ["matching"])
    (root / "last_run.json").write_text("{}")
    return root


def test_a_clean_home_ends_well(home: Path) -> None:
    done = scan(home)
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing of them was found, and every file was read" in done.stdout
    assert "keyring.json: it holds keys" in done.stdout


def test_what_is_left_is_named_by_place_and_line_and_never_shown(home: Path) -> None:
    with closing(sqlite3.connect(home / "runs.db", isolation_level=None)) as connection:
        connection.execute("create table tags (value text)")
        connection.execute("insert into tags values (?)", [KARI])
    done = scan(home)
    assert done.returncode == 1
    assert "tags.value: UTF-8, line 2, once" in done.stdout
    assert done.stderr == "leii: 1 of 2 identifiers were found, in 2 places\n"
    as_json = scan(home, "--json")
    assert as_json.returncode == 1
    report = json.loads(as_json.stdout)
    assert not report["is_clean"]
    assert {"file": "runs.db", "place": "tags.value", "encoding": "UTF-8", "line": 2, "count": 1} in report["findings"]
    assert not any(value in text for text in (done.stdout, done.stderr, as_json.stdout) for value in (KARI, OLA))


def test_what_was_not_read_is_told_in_other_words(home: Path) -> None:
    (home / "strange").write_bytes(b"\0\1\2")
    done = scan(home)
    assert done.returncode == 1
    assert "not read  strange: an unknown kind of file" in done.stdout
    assert "nothing was found, but the scan is not clean: 1 files could not be read" in done.stderr


def test_a_refused_line_is_named_and_not_shown(home: Path) -> None:
    done = scan(home, given=f"{KARI}\nOlav\n")
    assert done.returncode == 1
    assert "- line 2: shorter than 6 characters" in done.stderr
    assert "Olav" not in done.stderr + done.stdout


def test_nothing_is_scanned_while_something_runs(home: Path) -> None:
    with exclusive_run(Home(home)):
        done = scan(home)
    assert done.returncode == 1
    assert "another run holds" in done.stderr


def test_without_a_home_none_is_made(tmp_path: Path) -> None:
    done = scan(tmp_path / "nowhere")
    assert done.returncode == 1
    assert "nothing is in" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_lines_are_drawn_together() -> None:
    assert compact([7, 1, 2, 3, 3, 9, 10]) == "1-3, 7, 9-10"
