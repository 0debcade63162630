"""What is in a published copy, and what is not."""

from pathlib import Path

import duckdb
import pytest

from publishing.copies import _select, current_version, publish_purpose
from publishing.readers import open_published
from storage import LeiiError, Workspace
from tests.publishing.conftest import in_warehouse, manifest_of

DELETED = "c41f9d0be1a7"
KEPT = "0d9e77b2c35a"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return manifest_of(
        tmp_path,
        ("matching", "marts", "fct_booking", "public"),
        ("matching", "marts", "fct_hidden", "private"),
        ("matching", "staging", "stg_booking", "public"),
        ("fraud", "marts", "fct_flag", "public"),
    )


def fill(workspace: Workspace) -> None:
    in_warehouse(
        workspace,
        "matching",
        f"CREATE TABLE w.marts.fct_booking AS SELECT i AS booking_id, '{KEPT}' AS note FROM range(5000) AS t(i)",
        "CREATE TABLE w.marts.fct_hidden AS SELECT 1 AS x",
        "CREATE SCHEMA w.src",
        "CREATE TABLE w.src.app_db__booking AS SELECT 1 AS x",
    )


def tables_in(con: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    return set(con.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall())


def test_only_the_public_marts_of_the_purpose_are_published(workspace: Workspace, manifest: Path) -> None:
    fill(workspace)
    copy = publish_purpose(workspace, "matching", manifest)
    assert copy.tables == {"fct_booking": 5000}
    with open_published(workspace.home, workspace.keyring, "matching") as con:
        assert tables_in(con) == {("marts", "fct_booking"), ("main", "about")}
        about = con.execute("SELECT purpose, version, readers, retention_days, built_at FROM about").fetchone()
    assert about == ("matching", copy.version, ["analysts", "product_team"], 1095, workspace.now)


def test_a_published_copy_holds_no_deleted_byte(workspace: Workspace, tmp_path: Path) -> None:
    """On plain files, where bytes can be looked for: a control shows that the source still has what was deleted."""
    source, target = tmp_path / "source.duckdb", tmp_path / "target.duckdb"
    with workspace.connect() as con:
        con.execute("SET force_compression = 'uncompressed'")
        con.execute(f"ATTACH '{source}' AS warehouse")
        con.execute("CREATE SCHEMA warehouse.marts")
        con.execute(
            "CREATE TABLE warehouse.marts.fct AS SELECT i, "
            f"CASE WHEN i = 777 THEN '{DELETED}' ELSE '{KEPT}' || md5(i::VARCHAR) END AS note FROM range(3000) AS t(i)"
        )
        con.execute("CHECKPOINT warehouse")
        con.execute("DELETE FROM warehouse.marts.fct WHERE i = 777")
        con.execute("CHECKPOINT warehouse")
        con.execute(f"ATTACH '{target}' AS copy")
        con.execute("CREATE SCHEMA copy.marts")
        select, _ = _select(con, "matching", "fct")
        con.execute(f"CREATE TABLE copy.marts.fct AS {select}")
        assert con.execute("SELECT count(*) FROM copy.marts.fct").fetchone() == (2999,)
        con.execute("CHECKPOINT copy")
        con.execute("DETACH copy")
        con.execute("DETACH warehouse")
    assert DELETED.encode() in source.read_bytes()
    assert DELETED.encode() not in target.read_bytes()
    assert KEPT.encode() in target.read_bytes()


def test_statistics_of_a_published_copy_do_not_remember_a_deleted_value(workspace: Workspace, manifest: Path) -> None:
    fill(workspace)
    in_warehouse(
        workspace,
        "matching",
        f"INSERT INTO w.marts.fct_booking VALUES (999999, 'zz{DELETED}')",
        "CHECKPOINT w",
        "DELETE FROM w.marts.fct_booking WHERE booking_id = 999999",
    )
    publish_purpose(workspace, "matching", manifest)
    with open_published(workspace.home, workspace.keyring, "matching") as con:
        found = con.execute("SELECT stats(booking_id) || stats(note) FROM marts.fct_booking LIMIT 1").fetchone()
    assert found is not None
    assert "999999" not in found[0]
    assert f"zz{DELETED}"[:8] not in found[0]


def test_an_enum_is_published_as_text(workspace: Workspace, manifest: Path) -> None:
    in_warehouse(
        workspace,
        "matching",
        f"CREATE TYPE w.marts.note AS ENUM ('{KEPT}', '{DELETED}')",
        f"CREATE TABLE w.marts.fct_booking AS SELECT CAST('{KEPT}' AS w.marts.note) AS note",
    )
    publish_purpose(workspace, "matching", manifest)
    with open_published(workspace.home, workspace.keyring, "matching") as con:
        types = con.execute("SELECT data_type FROM duckdb_columns() WHERE table_name = 'fct_booking'").fetchall()
        enums = con.execute(
            "SELECT count(*) FROM duckdb_types() WHERE database_name = 'published' AND logical_type = 'ENUM' "
            "AND NOT internal"
        )
        assert types == [("VARCHAR",)]
        assert enums.fetchone() == (0,)


def test_an_enum_inside_a_list_is_refused(workspace: Workspace, manifest: Path) -> None:
    in_warehouse(
        workspace,
        "matching",
        "CREATE TABLE w.marts.fct_booking AS SELECT [CAST('a' AS ENUM ('a', 'b'))] AS notes",
    )
    with pytest.raises(LeiiError, match=r"fct_booking\.notes holds an ENUM"):
        publish_purpose(workspace, "matching", manifest)


def test_a_new_version_takes_the_place_of_the_old_one(workspace: Workspace, manifest: Path) -> None:
    fill(workspace)
    first = publish_purpose(workspace, "matching", manifest)
    second = publish_purpose(workspace, "matching", manifest)
    assert first.version != second.version == current_version(workspace.home, "matching")
    names = {path.name for path in workspace.home.published_folder("matching").iterdir()}
    assert names == {"current.duckdb", f"{second.version}.duckdb"}


def test_a_mart_that_is_not_built_leaves_the_current_version(workspace: Workspace, manifest: Path) -> None:
    fill(workspace)
    first = publish_purpose(workspace, "matching", manifest)
    in_warehouse(workspace, "matching", "DROP TABLE w.marts.fct_booking")
    with pytest.raises(LeiiError, match="has not been built"):
        publish_purpose(workspace, "matching", manifest)
    assert current_version(workspace.home, "matching") == first.version
    assert first.path.exists()


def test_what_a_killed_publishing_left_is_removed(workspace: Workspace, manifest: Path) -> None:
    fill(workspace)
    folder = workspace.home.published_folder("matching")
    folder.mkdir(parents=True)
    (folder / ".20260101T000000Z-1.4711.new").write_bytes(b"half")
    (folder / ".20260101T000000Z-1.4711.new.wal").write_bytes(b"half")
    copy = publish_purpose(workspace, "matching", manifest)
    assert {path.name for path in folder.iterdir()} == {"current.duckdb", copy.path.name}


def test_a_purpose_without_public_marts_is_refused(workspace: Workspace, manifest: Path) -> None:
    with pytest.raises(LeiiError, match="nothing to publish"):
        publish_purpose(workspace, "market_trends", manifest)
