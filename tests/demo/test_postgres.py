"""The embedded PostgreSQL: a real server, and roles that can do exactly what they may."""

from __future__ import annotations

import socket
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from demo.postgres import DemoPostgres, PostgresError, running_postgres, start_postgres, stop_postgres
from demo.world.tables import PIPELINE_TABLES, TABLES, WORLD_TABLES

FLAG = "insert into app.fraud_flag values ('f1', gen_random_uuid(), '[]', 0.5, 'review', '1', now(), now(), now(), 'active')"
RECEIPT = "insert into app.privacy_receipt values (1, 'done', null, 'Slettet.', null, now())"


@pytest.mark.parametrize("table", TABLES)
def test_both_roles_read_every_table(loaded: DemoPostgres, table: str) -> None:
    query = sql.SQL("select count(*) from app.{}").format(sql.Identifier(table))
    for dsn in (loaded.reader_dsn, loaded.pipeline_dsn):
        with psycopg.connect(dsn) as connection:
            assert connection.execute(query).fetchone() is not None


def test_the_pipeline_writes_flags_and_receipts(loaded: DemoPostgres) -> None:
    with psycopg.connect(loaded.pipeline_dsn) as connection:
        for insert, table in ((FLAG, "fraud_flag"), (RECEIPT, "privacy_receipt")):
            connection.execute(insert)
            connection.execute(sql.SQL("update app.{} set updated_at = now()").format(sql.Identifier(table)))
            deleted = connection.execute(sql.SQL("delete from app.{}").format(sql.Identifier(table)))
            assert deleted.rowcount == 1


@pytest.mark.parametrize("table", WORLD_TABLES)
def test_the_pipeline_writes_no_other_table(loaded: DemoPostgres, table: str) -> None:
    name = sql.Identifier(table)
    statements = (
        sql.SQL("delete from app.{}").format(name),
        sql.SQL("insert into app.{} default values").format(name),
        sql.SQL("truncate app.{}").format(name),
    )
    for statement in statements:
        with psycopg.connect(loaded.pipeline_dsn) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


@pytest.mark.parametrize("statement", [FLAG, RECEIPT, "delete from app.account", "create table app.mine (a int)"])
def test_the_reader_writes_nothing(loaded: DemoPostgres, statement: str) -> None:
    with psycopg.connect(loaded.reader_dsn) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.parametrize(
    "statement", ["create table app.mine (a int)", "create schema mine", "truncate app.fraud_flag"]
)
def test_the_pipeline_makes_nothing_of_its_own(loaded: DemoPostgres, statement: str) -> None:
    with psycopg.connect(loaded.pipeline_dsn) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


def test_a_wrong_password_is_refused(loaded: DemoPostgres) -> None:
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(f"postgresql://leii_reader:wrong@127.0.0.1:{loaded.port}/leii")


def test_it_listens_on_the_loopback_address_only(loaded: DemoPostgres) -> None:
    with psycopg.connect(loaded.admin_dsn) as connection:
        settings = connection.execute(
            "select name, setting from pg_settings where name in ('listen_addresses', 'unix_socket_directories')"
        ).fetchall()
    assert dict(settings) == {"listen_addresses": "127.0.0.1", "unix_socket_directories": ""}


def test_the_columns_of_the_tables_are_those_of_the_schema(loaded: DemoPostgres) -> None:
    with psycopg.connect(loaded.admin_dsn) as connection:
        rows = connection.execute(
            "select table_name, array_agg(column_name::text order by ordinal_position) from information_schema.columns "
            "where table_schema = 'app' group by 1"
        ).fetchall()
    assert dict(rows) == {name: list(table.columns) for name, table in TABLES.items()}
    assert set(WORLD_TABLES) | set(PIPELINE_TABLES) == set(TABLES)


def test_a_restart_keeps_data_port_and_passwords(tmp_path: Path) -> None:
    with running_postgres(tmp_path / "pg") as first, psycopg.connect(first.pipeline_dsn) as connection:
        connection.execute(RECEIPT)
        connection.commit()
    with running_postgres(tmp_path / "pg") as second, psycopg.connect(second.reader_dsn) as connection:
        assert second == first
        assert connection.execute("select count(*) from app.privacy_receipt").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(first.reader_dsn)


def test_a_running_server_is_handed_back_and_another_port_refused(postgres: DemoPostgres) -> None:
    assert start_postgres(postgres.folder) == postgres
    with pytest.raises(PostgresError, match="already runs on port"):
        start_postgres(postgres.folder, port=postgres.port + 1)


def test_a_taken_port_is_said_so(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PostgresError, match="did not start on"):
            start_postgres(tmp_path / "pg", port=taken.getsockname()[1])
    stop_postgres(tmp_path / "pg")
