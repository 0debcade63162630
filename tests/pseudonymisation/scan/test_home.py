"""What a scan cannot read it says, and then it is not clean; what only looks like a value is none."""

import gzip
import json
import secrets
import shutil
import uuid
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from ingestion.encrypted_parquet import give_key, write_encrypted
from pseudonymisation.scan import ScanReport, identifiers_of, scan_home
from storage import KeyRing, LeiiError, Workspace, attached, compact_copy
from storage.keyring import names_for

SOMEBODY = "kari.nordmann@example.no"


def scan(workspace: Workspace, *values: str) -> ScanReport:
    return scan_home(workspace, identifiers_of(values or (SOMEBODY,)))


def put(workspace: Workspace, name: str, content: bytes | str) -> Path:
    path = workspace.home.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def with_other_keys(workspace: Workspace) -> Workspace:
    return replace(
        workspace, keyring=KeyRing({name: secrets.token_bytes(32) for name in names_for(["matching", "fraud"])})
    )


def database(workspace: Workspace, name: str = "warehouse/fraud.duckdb", rows: int = 10) -> Path:
    path = workspace.home.root / name
    with (
        workspace.connect() as con,
        attached(con, path, "d", workspace.keyring.purpose_key("fraud", "warehouse")),
    ):
        con.execute("SET threads = 1")  # how the rows lie, and so what compression hides, is then always the same
        con.execute("CREATE TABLE d.t AS SELECT ? || i AS who FROM range(?) AS r(i)", [SOMEBODY, rows])
    return path


def landed(workspace: Workspace) -> Path:
    path = put(workspace, "landing/a.parquet", "")
    with workspace.connect() as con:
        give_key(workspace, con, "landing")
        write_encrypted(con, "landing", f"SELECT '{SOMEBODY}' || i AS who FROM range(5000) AS r(i)", path)
    return path


def reasons(report: ScanReport) -> dict[str, str]:
    return {one.file: one.reason for one in report.unread}


@pytest.mark.parametrize("make", [database, landed])
def test_a_file_that_no_key_opens_is_not_read_and_the_scan_not_clean(workspace: Workspace, make: object) -> None:
    assert callable(make)
    path = make(workspace)
    name = str(path.relative_to(workspace.home.root))
    assert name in {finding.file for finding in scan(workspace).findings}
    report = scan(with_other_keys(workspace))
    assert report.findings == ()
    assert reasons(report) == {name: "no key of the keyring opens it"}
    assert not report.is_clean


def test_a_file_is_read_with_another_zones_key_if_that_opens_it(workspace: Workspace) -> None:
    shutil.copy(database(workspace), workspace.home.root / "stray")
    assert {finding.file for finding in scan(workspace).findings} == {"stray", "warehouse/fraud.duckdb"}


@pytest.mark.parametrize("end", [5_000, 300_000])
def test_a_database_that_is_cut_off_is_not_read(workspace: Workspace, end: int) -> None:
    path = database(workspace, rows=100_000)
    path.write_bytes(path.read_bytes()[:end])
    assert list(reasons(scan(workspace))) == ["warehouse/fraud.duckdb"]


def test_a_block_that_was_changed_is_not_read(workspace: Workspace) -> None:
    path = database(workspace)
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)
    assert "warehouse/fraud.duckdb" in reasons(scan(workspace))


def test_encrypted_parquet_that_is_cut_off_is_not_read(workspace: Workspace) -> None:
    path = landed(workspace)
    path.write_bytes(path.read_bytes()[:-300])
    assert list(reasons(scan(workspace))) == ["landing/a.parquet"]


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(secrets.token_bytes(5000))[:-2000],
        b"PAR1" + bytes(300),
        b"SQLite format 3\0" + bytes(4080),
        b"ARROW1\0\0" + bytes(300),
        b"PK\x03\x04" + bytes(300),
        bytes(8) + b"DUCK" + bytes(20_000),
        b"\xff\xfea",
        secrets.token_bytes(3000),
        b"text and then\0 something else",
    ],
    ids=["gzip", "parquet", "sqlite", "arrow", "zip", "duckdb", "utf-16", "random", "binary"],
)
def test_what_is_damaged_or_unknown_is_not_read_and_searched_as_it_is(workspace: Workspace, content: bytes) -> None:
    put(workspace, "exports/x", content + SOMEBODY.encode())
    report = scan(workspace)
    assert list(reasons(report)) == ["exports/x"]
    assert ("raw bytes", 1) in [(finding.place, finding.count) for finding in report.findings]
    assert report.files_read == sum(report.kinds.values()) - 1


def test_what_cannot_be_opened_is_not_read(workspace: Workspace) -> None:
    import os

    (workspace.home.root / "exports").mkdir()
    os.mkfifo(workspace.home.root / "exports" / "pipe")
    assert reasons(scan(workspace)) == {"exports/pipe": "it cannot be opened (neither a file nor a folder)"}


def test_what_a_killed_run_spilled_is_not_read(workspace: Workspace) -> None:
    put(workspace, "temporary/duckdb_temp_storage_S32K-0.tmp", secrets.token_bytes(100))
    assert "killed run" in reasons(scan(workspace))["temporary/duckdb_temp_storage_S32K-0.tmp"]


def test_a_log_without_its_database_is_not_read(workspace: Workspace) -> None:
    put(workspace, "warehouse/fraud.duckdb.wal", secrets.token_bytes(100))
    assert "without its database" in reasons(scan(workspace))["warehouse/fraud.duckdb.wal"]


def test_files_inside_files_have_an_end(workspace: Workspace) -> None:
    content = SOMEBODY.encode()
    for _ in range(12):
        content = gzip.compress(content)
    put(workspace, "exports/deep.gz", content)
    assert "deep" in reasons(scan(workspace))["exports/deep.gz"]


def test_the_keyring_is_left_out_and_told(workspace: Workspace) -> None:
    workspace.home.default_keyring_file.write_text(SOMEBODY)
    report = scan(workspace)
    assert (report.findings, report.left_out, report.is_clean) == ((), ("keyring.json",), True)


def test_a_number_in_a_program_is_nobodys_unless_the_program_was_changed(workspace: Workspace) -> None:
    [packaged] = Path(str(files("duckdb_extension_httpfs"))).rglob("httpfs.duckdb_extension")
    program = packaged.read_bytes()
    extension = put(workspace, "exports/httpfs.duckdb_extension", program)
    numbers = (int.from_bytes(program[at : at + 8], "little") for at in range(len(program) // 2, len(program), 8))
    number = str(next(one for one in numbers if 10**10 <= one < 10**11))
    assert scan(workspace, number).is_clean
    extension.write_bytes(program + b"!")
    name = extension.relative_to(workspace.home.root).as_posix()
    assert {(one.file, one.place) for one in scan(workspace, number).findings} == {(name, "raw bytes")}


def test_links_are_followed_once_and_never_in_a_circle(workspace: Workspace) -> None:
    put(workspace, "exports/a.txt", SOMEBODY)
    (workspace.home.root / "exports" / "b.txt").symlink_to("a.txt")
    (workspace.home.root / "exports" / "up").symlink_to("..")
    (workspace.home.root / "exports" / "gone").symlink_to("nothing")
    report = scan(workspace)
    assert [(finding.file, finding.count) for finding in report.findings] == [("exports/a.txt", 1)]
    assert report.unread == ()


def test_without_a_home_there_is_nothing_to_scan(workspace: Workspace) -> None:
    shutil.rmtree(workspace.home.root)
    with pytest.raises(LeiiError, match="nothing is in"):
        scan(workspace)


def test_each_time_is_counted_once(workspace: Workspace) -> None:
    put(workspace, "exports/many.txt", f"{SOMEBODY}\n".encode() * 100_000)
    assert [(finding.line, finding.count) for finding in scan(workspace, "x@example.no", SOMEBODY).findings] == [
        (2, 100_000)
    ]


def test_findings_name_the_line_of_the_input(workspace: Workspace) -> None:
    put(workspace, "exports/a.txt", SOMEBODY)
    assert [one.line for one in scan(workspace, "# people", "", "ola@example.no", SOMEBODY).findings] == [4]


PHONE = "91234567"
NATIONAL_ID = "31129912345"


@pytest.mark.parametrize(
    "content",
    [
        "2026-11-15T06:00:00.912345678Z",
        '{"seconds": 10.33299123456719}',
        '{"at": 1791234567}',
        f"{uuid.UUID('91234567-89ab-4def-8123-456789abcdef')}",
        "sha256: 3f9123456730129a3f9123456730129a3f9123456730129a3f9123456730129a",
        "0.3112991234512",
    ],
)
@pytest.mark.parametrize("form", ["text", "sqlite"])
def test_digits_inside_another_value_are_no_finding(workspace: Workspace, content: str, form: str) -> None:
    if form == "text":
        put(workspace, "last_run.json", content)
    else:
        _sqlite(workspace.home.root / "a.db", content)
    expected = {"a.db": "raw bytes"} if form == "sqlite" and content == '{"at": 1791234567}' else {}
    assert {one.file: one.place for one in scan(workspace, PHONE, NATIONAL_ID).findings} == expected


def _sqlite(path: Path, content: str) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("create table t (a text)")
        connection.execute("insert into t values (?)", [content])


@pytest.mark.parametrize("content", [f"a {PHONE} b", f"+47{PHONE}", f"0047 {PHONE}", json.dumps({"phone": PHONE})])
def test_a_phone_number_in_text_is_one(workspace: Workspace, content: str) -> None:
    put(workspace, "last_run.json", content)
    assert len(scan(workspace, PHONE).findings) == 1


def test_a_number_counts_only_as_the_whole_value_of_a_numeric_column(workspace: Workspace) -> None:
    with (
        workspace.connect() as con,
        attached(con, workspace.home.held_file, "d", workspace.keyring.zone_key("held")),
    ):
        con.execute(f"CREATE TABLE d.t AS SELECT {PHONE}123 AS a, 1{PHONE}::DOUBLE AS b, {PHONE}.5 AS c")
    assert scan(workspace, PHONE).findings == ()


def test_a_deleted_row_that_compression_hides_is_told_until_the_file_is_compacted(workspace: Workspace) -> None:
    path, key = database(workspace, rows=100_000), workspace.keyring.purpose_key("fraud", "warehouse")
    with workspace.connect() as con:
        with attached(con, path, "d", key):
            con.execute("DELETE FROM d.t WHERE who = ?", [f"{SOMEBODY}99999"])
        hidden = scan(workspace, f"{SOMEBODY}99999")
        compact_copy(con, path, key, path, key)
    assert {(one.file, one.reason) for one in hidden.uncompacted} >= {
        ("warehouse/fraud.duckdb", "deleted rows of main.t")
    }
    assert (hidden.findings, hidden.unread) == ((), ())
    assert scan(workspace, f"{SOMEBODY}99999").uncompacted == ()
