"""App database to landing, against a bare ADBC read of the same table to Parquet and against dlt with connectorx.

Aims: two thirds of the bare read's rows a second, one and a half times dlt's with its fastest backend, and memory that does
not grow with the table.
"""

import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

import psycopg
import pyarrow.parquet as pq
from adbc_driver_postgresql import dbapi
from dlt.sources.sql_database import sql_table

from benchmarks.candidates import new_dlt_pipeline, new_workspace
from benchmarks.measure import compare, peak_mib
from demo.postgres import DemoPostgres, running_postgres
from ingestion.app_db import pull_app_db
from ingestion.app_db_source import AppDbSource
from ingestion.landing import open_landing
from pseudonymisation.policy.source_tables import app_db_tables

ROWS = 1_000_000

_FILL = """
insert into app.service_category values (1, 'cleaning', 'Renhold', 'Cleaning');
insert into app.account (account_id, created_at, updated_at, full_name, email)
select gen_random_uuid(), now(), now(), 'Navn ' || i, 'person' || i || '@example.no' from generate_series(1, 2000) as i;
insert into app.booking
select i, null, customer.account_id, provider.account_id, 1, now() - i * interval '1 minute', now(), 100 + i % 900, 10,
    'completed', null, 'card', 'pi_' || i, now(), now(), now(), now() - i * interval '1 second'
from generate_series(1, {rows}) as i
join (select account_id, row_number() over () as n from app.account) as customer on customer.n = 1 + i % 2000
join (select account_id, row_number() over () as n from app.account) as provider on provider.n = 1 + (i + 7) % 2000;
analyze;
"""


def main(rows: int = ROWS) -> None:
    """Print the three rates, the two ratios, and this project's memory."""
    folder = Path(tempfile.mkdtemp(prefix="leii-bench-"))
    try:
        with running_postgres(folder / "postgres") as server:
            with psycopg.connect(server.admin_dsn) as connection:
                connection.execute(_FILL.format(rows=rows))
            _compare(server, folder, rows)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _compare(server: DemoPostgres, folder: Path, rows: int) -> None:
    result = compare(
        rows,
        {
            "leii, encrypted landing": lambda: _leii(server.pipeline_dsn, folder / "home", rows),
            "bare ADBC to Parquet": lambda: _bare(server.pipeline_dsn, folder / "bare.parquet"),
            "dlt sql_database, connectorx": lambda: _dlt(server.pipeline_dsn, folder / "dlt"),
        },
        rounds=1 if rows > ROWS else 3,
    )
    print(f"app.booking, {rows:,} rows, 17 columns")
    print("\n".join(result.lines()))
    print(
        f"  against the bare read: {result.ratio('leii, encrypted landing', 'bare ADBC to Parquet'):.2f} (aim: at least 0.67)"
    )
    ratio = result.ratio("leii, encrypted landing", "dlt sql_database, connectorx")
    print(f"  against dlt with connectorx: {ratio:.2f} (aim: at least 1.50)")
    print(f"  peak memory: {peak_mib(partial(_leii, server.pipeline_dsn, folder / 'home', rows)):,.0f} MiB")


def _leii(dsn: str, root: Path, rows: int) -> None:
    """Everything that a pass does with the table: the rows, and the set of its keys by which deletions are found."""
    workspace, policy = new_workspace(root)
    tables = [table for table in app_db_tables(policy) if table.name == "booking"]
    with open_landing(workspace) as landing:
        pull = pull_app_db(workspace, landing, AppDbSource(dsn=dsn), tables=tables)
    assert [one.rows for one in pull.tables if one.is_listed] == [rows], "not every row was landed"


def _bare(dsn: str, target: Path) -> None:
    with dbapi.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute("select * from app.booking")
        reader = cursor.fetch_record_batch()
        with pq.ParquetWriter(target, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)


def _dlt(dsn: str, folder: Path) -> None:
    pipeline = new_dlt_pipeline("app", folder)
    table = sql_table(credentials=dsn, schema="app", table="booking", backend="connectorx")
    pipeline.run(table, loader_file_format="parquet")


if __name__ == "__main__":
    main(*(int(one) for one in sys.argv[1:]))
