"""Encrypted files: closed to the wrong key, and rid of what was deleted once they are copied."""

from pathlib import Path

import duckdb
import pytest

from storage import Home, LeiiError, attach, attached, compact_copy, connect
from storage.duckdb_files import MEMORY_LIMIT

KEY, OTHER = b"k" * 32, b"o" * 32
PLANTED = "planted-value-that-must-not-stay"


def test_a_wrong_key_is_refused_in_plain_words(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with connect(home) as con, attached(con, tmp_path / "a.duckdb", "a", KEY):
        con.execute("CREATE TABLE a.t AS SELECT 1 AS x")
    with connect(home) as con, pytest.raises(LeiiError, match="the key does not open it"):
        attach(con, tmp_path / "a.duckdb", "a", OTHER)


def test_nothing_of_a_row_can_be_read_in_the_file_without_the_key(tmp_path: Path) -> None:
    with connect(Home(tmp_path)) as con, attached(con, tmp_path / "a.duckdb", "a", KEY):
        con.execute("CREATE TABLE a.t AS SELECT ? AS x", [PLANTED])
        con.execute("CHECKPOINT a")
    assert PLANTED.encode() not in (tmp_path / "a.duckdb").read_bytes()


def test_compacting_writes_a_new_file_with_the_live_rows_alone(tmp_path: Path) -> None:
    """A byte that was deleted can only stay in blocks that stay: the file is another one, and none of its blocks is free."""
    file = tmp_path / "a.duckdb"
    with connect(Home(tmp_path)) as con:
        with attached(con, file, "a", KEY):
            con.execute("CREATE TABLE a.t AS SELECT i, md5(i::VARCHAR) || ? AS x FROM range(300000) AS r(i)", [PLANTED])
            con.execute("CHECKPOINT a")
            con.execute("DELETE FROM a.t WHERE i > 1000")
        before = file.stat()
        compact_copy(con, file, KEY, file, KEY)
        with attached(con, file, "a", KEY, read_only=True):
            assert con.execute("SELECT count(*), max(i) FROM a.t").fetchone() == (1001, 1000)
            sizes = con.execute("SELECT free_blocks FROM pragma_database_size() WHERE database_name = 'a'").fetchone()
    assert sizes == (0,)
    assert file.stat().st_ino != before.st_ino
    assert file.stat().st_size < before.st_size / 10
    assert not file.with_name("a.duckdb.wal").exists()


def test_a_file_that_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    with connect(Home(tmp_path)) as con, pytest.raises(LeiiError, match="is not there yet"):
        attach(con, tmp_path / "none.duckdb", "none", KEY, read_only=True)


def test_a_session_can_install_nothing_and_is_bounded(tmp_path: Path) -> None:
    with connect(Home(tmp_path)) as con:
        settings = dict(
            con.execute(
                "SELECT name, value FROM duckdb_settings() WHERE name IN "
                "('autoinstall_known_extensions', 'autoload_known_extensions', 'temp_file_encryption', 'memory_limit')"
            ).fetchall()
        )
    assert settings["autoinstall_known_extensions"] == settings["autoload_known_extensions"] == "false"
    assert settings["temp_file_encryption"] == "true"
    assert MEMORY_LIMIT == "700MB"


def test_what_a_transaction_has_just_filled_is_not_joined_by_nested_loops(tmp_path: Path) -> None:
    with connect(Home(tmp_path)) as con:
        con.execute("BEGIN")
        con.execute("CREATE TEMP TABLE seen AS SELECT i % 1000 AS who, i AS at FROM range(100_000) AS r(i)")
        row = con.execute(
            "EXPLAIN SELECT * FROM seen AS one ASOF JOIN seen AS other ON one.who = other.who AND one.at >= other.at"
        ).fetchone()
        assert row is not None
        assert "ASOF_JOIN" in row[1]
        assert "NESTED_LOOP_JOIN" not in row[1]
        con.execute("ROLLBACK")


LEFT_BEHIND = [
    "CREATE TEMP TABLE secret AS SELECT 1 AS x",
    "CREATE TABLE secret AS SELECT 1 AS x",
    "CREATE VIEW secret AS SELECT 1 AS x",
    "CREATE TEMP MACRO secret() AS TABLE SELECT 1 AS x",
    "SET VARIABLE secret = 1",
    "ATTACH ':memory:' AS secret",
]


@pytest.mark.parametrize("statement", LEFT_BEHIND)
def test_a_session_leaves_nothing_to_the_next_one(tmp_path: Path, statement: str) -> None:
    for _ in range(2):
        with connect(Home(tmp_path)) as con:
            assert con.execute("SELECT getvariable('secret')").fetchone() == (None,)
            for probe in ("FROM secret", "FROM secret()", "FROM secret.duckdb_tables()"):
                with pytest.raises(duckdb.Error):
                    con.execute(probe)
            con.execute(statement)


def test_two_sessions_at_once_have_an_engine_each(tmp_path: Path) -> None:
    with connect(Home(tmp_path)) as one, connect(Home(tmp_path)) as other:
        one.execute("ATTACH ':memory:' AS mine")
        names = [row[0] for row in other.execute("SELECT database_name FROM duckdb_databases()").fetchall()]
        assert "mine" not in names
