import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from demo.postgres import DemoPostgres
from ingestion.landing import Batch, Landing, Write, open_landing
from ingestion.register import SeenFile
from storage import LeiiError, Workspace

PLANTED = "Kari-Planted-Nordmann"


def people(*names: str) -> pa.Table:
    return pa.table({"account_id": list(range(len(names))), "full_name": list(names)})


def read(workspace: Workspace, landing: Landing, batch: Batch) -> list[tuple[object, ...]]:
    with workspace.connect() as con:
        return con.sql(f"select * from {landing.relation_sql(con, batch)} order by all").fetchall()


def all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_what_was_written_is_read_back_with_its_cursor(workspace: Workspace) -> None:
    with open_landing(workspace) as landing:
        assert landing.cursor("app_db", "account") == {}
        batch = landing.write("app_db", "account", "rows", people("Anne", "Bo"), {"key": 2})
        assert batch is not None
        assert (batch.source, batch.table, batch.kind, batch.row_count) == ("app_db", "account", "rows", 2)
    with open_landing(workspace) as landing:
        assert landing.cursor("app_db", "account") == {"key": 2}
        assert landing.pending("fraud") == [batch]
        assert read(workspace, landing, batch) == [(0, "Anne"), (1, "Bo")]


def test_no_byte_under_landing_shows_what_was_landed(workspace: Workspace) -> None:
    with open_landing(workspace) as landing:
        batch = landing.write("app_db", "account", "rows", people(*[PLANTED] * 500), {"key": 1})
        assert batch is not None
        content = all_bytes(workspace.home.root)
        assert len(content) > 500
        assert PLANTED.encode() not in content
        assert b"full_name" not in content
        assert read(workspace, landing, batch)[0] == (0, PLANTED)


def test_the_file_does_not_open_without_the_key(workspace: Workspace) -> None:
    with open_landing(workspace) as landing:
        batch = landing.write("app_db", "account", "rows", people(PLANTED), None)
        assert batch is not None
        with pytest.raises(duckdb.Error, match="encrypted"), duckdb.connect() as con:
            con.sql(f"select * from read_parquet('{batch.path}')").fetchall()


def test_arrow_streams_relations_and_sql_land_the_same(workspace: Workspace) -> None:
    with open_landing(workspace) as landing, workspace.connect() as con:
        arrow_people = people("Anne", "Bo")
        con.execute("create table people as from arrow_people")
        origins = (arrow_people, arrow_people.to_reader(max_chunksize=1), con.table("people"))
        batches = [landing.write("app_db", "account", "rows", rows, None) for rows in origins]
        batches.append(landing.write("app_db", "account", "rows", "select * from people", None, con=con))
        contents = [read(workspace, landing, batch) for batch in batches if batch is not None]
        assert contents == [[(0, "Anne"), (1, "Bo")]] * 4


def test_the_select_list_casts_on_the_way(workspace: Workspace) -> None:
    with open_landing(workspace) as landing:
        batch = landing.write(
            "app_db", "offer", "rows", pa.table({"price": ["12.30"]}), None, select="price::DECIMAL(10, 2) as price"
        )
        assert batch is not None
        with workspace.connect() as con:
            described = con.sql(f"describe from {landing.relation_sql(con, batch)}").fetchall()
        assert [row[:2] for row in described] == [("price", "DECIMAL(10,2)")]


def test_no_rows_move_only_the_cursor(workspace: Workspace) -> None:
    with open_landing(workspace) as landing:
        assert landing.write("app_db", "account", "rows", people(), {"key": 7}) is None
        assert landing.cursor("app_db", "account") == {"key": 7}
        assert landing.pending("fraud") == []
        assert list(workspace.home.landing.glob("*.parquet")) == []


def test_an_empty_list_of_keys_is_landed_because_it_says_that_all_rows_are_gone(workspace: Workspace) -> None:
    with open_landing(workspace) as landing:
        batch = landing.write("app_db", "account", "keys", people(), None)
        assert batch is not None
        assert batch.row_count == 0
        assert read(workspace, landing, batch) == []


def test_takers_take_in_order_and_landing_is_emptied_when_all_have(workspace: Workspace) -> None:
    with open_landing(workspace) as landing:
        written = [landing.write("app_db", "account", "rows", people(name), None) for name in ("Anne", "Bo", "Eva")]
        ids = [batch.batch_id for batch in written if batch is not None]
        assert [batch.batch_id for batch in landing.pending("fraud")] == ids == sorted(ids)
        landing.mark_taken("fraud", ids[:2])
        landing.mark_taken("fraud", ids[:2])
        assert [batch.batch_id for batch in landing.pending("fraud")] == ids[2:]
        assert landing.remove_taken_by_all(["fraud", "matching"]) == 0
        landing.mark_taken("matching", ids)
        assert landing.remove_taken_by_all(["fraud", "matching"]) == 2
        landing.mark_taken("fraud", ids)
        assert landing.remove_taken_by_all(["matching", "fraud"]) == 1
        assert list(workspace.home.landing.glob("*.parquet")) == []
        later = landing.write("app_db", "account", "rows", people("Ola"), None)
        assert later is not None
        assert later.batch_id > ids[-1]


def test_emptying_for_nobody_is_refused(workspace: Workspace) -> None:
    with open_landing(workspace) as landing, pytest.raises(LeiiError, match="name every purpose"):
        landing.remove_taken_by_all([])


def test_batches_written_together_appear_together(workspace: Workspace) -> None:
    with open_landing(workspace) as landing, workspace.connect() as con:
        good = Write(source="stripe", table="charge", kind="rows", rows="select 1 as id", cursor={"created": 1})
        bad = Write(source="stripe", table="refund", kind="rows", rows="select error('stop')", cursor={"created": 2})
        with pytest.raises(duckdb.Error):
            landing.write_many([good, bad], con=con)
        assert landing.pending("fraud") == []
        assert landing.cursor("stripe", "charge") == {}
        assert list(workspace.home.landing.glob("*.parquet")) == []
        refund = Write(source="stripe", table="refund", kind="rows", rows="select 2 as id", cursor={"created": 2})
        assert len(landing.write_many([good, refund], con=con)) == 2
        assert landing.cursor("stripe", "charge") == {"created": 1}
        assert landing.cursor("stripe", "refund") == {"created": 2}


def test_files_without_a_register_row_go_at_the_next_opening(workspace: Workspace) -> None:
    with open_landing(workspace) as landing:
        batch = landing.write("app_db", "account", "rows", people("Anne"), None)
    orphans = [workspace.home.landing / name for name in ("app_db-account-rows-1.parquet", "app_db-account-rows-2.tmp")]
    for orphan in orphans:
        orphan.write_bytes(b"left by a killed run")
    with open_landing(workspace) as landing:
        assert not any(orphan.exists() for orphan in orphans)
        assert landing.pending("fraud") == [batch]


def test_a_second_opener_does_not_sweep_what_the_first_is_writing(workspace: Workspace) -> None:
    with open_landing(workspace):
        unfinished = workspace.home.landing / "app_db-account-rows-3.tmp"
        unfinished.write_bytes(b"being written")
        with open_landing(workspace):
            assert unfinished.exists()
    with open_landing(workspace):
        assert not unfinished.exists()


def test_forgetting_the_cursors_of_one_source_leaves_the_others(workspace: Workspace) -> None:
    with open_landing(workspace) as landing:
        seen = [SeenFile(source="events", path="dt=2026-11-01/a.jsonl.gz", version="1")]
        landing.write("events", "event", "rows", people("Anne"), {"n": 1}, seen_files=seen)
        landing.write("app_db", "account", "rows", people("Anne"), {"key": 1})
        assert landing.seen_files("events") == {"dt=2026-11-01/a.jsonl.gz": "1"}
        landing.reset_cursors("events")
        assert landing.seen_files("events") == {}
        assert landing.cursor("events", "event") == {}
        assert landing.cursor("app_db", "account") == {"key": 1}


def test_a_batch_whose_file_is_gone_is_refused(workspace: Workspace) -> None:
    with open_landing(workspace) as landing, workspace.connect() as con:
        batch = landing.write("app_db", "account", "rows", people("Anne"), None)
        assert batch is not None
        batch.path.unlink()
        with pytest.raises(LeiiError, match="read its source again"):
            landing.relation_sql(con, batch)


def test_names_that_are_no_names_are_refused(workspace: Workspace) -> None:
    with open_landing(workspace) as landing:
        with pytest.raises(ValueError, match="no name"):
            landing.write("app_db", "../account", "rows", people("Anne"), None)
        with pytest.raises(ValueError, match="of kind rows, keys, deleted"):
            landing.write("app_db", "account", "changes", people("Anne"), None)


FAILING_WRITE = """
import sys
from pathlib import Path
import duckdb
from ingestion.app_db_queries import open_snapshot
from ingestion.landing import open_landing
from tests.ingestion.conftest import make_workspace
query = "select i, repeat('x', 100) as t from generate_series(1, 300000) as i"
try:
    with open_landing(make_workspace(Path(sys.argv[1]))) as landing, open_snapshot(sys.argv[2]) as snapshot:
        with snapshot.stream(query) as reader:
            landing.write("app", "booking", "rows", reader, None, select="TIMESTAMPTZ 'no time' < now() AS never")
except duckdb.ConversionException:
    print("refused")
"""


def test_a_process_ends_well_after_a_write_failed_on_a_stream(workspace: Workspace, app_db: DemoPostgres) -> None:
    run = subprocess.run(
        [sys.executable, "-c", FAILING_WRITE, str(workspace.home.root), app_db.reader_dsn],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, "refused\n"), run.stderr
