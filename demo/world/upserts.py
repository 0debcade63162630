"""Bringing a day's changes into the app's database: changed and new rows by key, and deletions, in one transaction."""

from __future__ import annotations

import polars as pl
import psycopg
from psycopg import sql

from demo.loading import copy_rows
from demo.world.tables import TABLES, Table

Connection = psycopg.Connection[tuple[object, ...]]


def upsert(connection: Connection, table: Table, rows: pl.DataFrame) -> None:
    """Inserts the rows, or updates those whose key is there already."""
    if not rows.height:
        return
    target, staging = sql.SQL("app.{}").format(sql.Identifier(table.name)), sql.Identifier(f"new_{table.name}")
    connection.execute(sql.SQL("create temporary table {} (like {}) on commit drop").format(staging, target))
    copy_rows(connection, staging, table, rows)
    changes = [
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in table.columns if name not in table.key
    ]
    connection.execute(
        sql.SQL("insert into {} select * from {} on conflict ({}) do update set {}").format(
            target, staging, sql.SQL(", ").join(map(sql.Identifier, table.key)), sql.SQL(", ").join(changes)
        )
    )


def delete(connection: Connection, table: Table, keys: pl.DataFrame) -> None:
    """Deletes the rows of these keys outright."""
    if not keys.height:
        return
    condition = sql.SQL(" and ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in table.key)
    statement = sql.SQL("delete from app.{} where {}").format(sql.Identifier(table.name), condition)
    with connection.cursor() as cursor:
        cursor.executemany(statement, keys.select(table.key).rows())


def undecided_flags(connection: Connection) -> pl.DataFrame:
    """Flags that the pipeline has raised and nobody has decided on yet: `flag_id`, `account_id`."""
    rows = connection.execute(
        "select flag_id, account_id::text from app.fraud_flag f where status = 'active' "
        "and not exists (select from app.fraud_flag_decision d where d.flag_id = f.flag_id) order by flag_id"
    ).fetchall()
    return pl.DataFrame(rows, schema={"flag_id": pl.String, "account_id": pl.String}, orient="row")


def rows_of_account(shown: dict[str, pl.DataFrame], account_id: str) -> dict[str, pl.DataFrame]:
    """Keys of every row that must go so that the account's can: its own, and those that refer to them, however indirectly."""
    people = ("account_id", "customer_id", "provider_id", "author_id", "subject_id", "sender_id", "recipient_id")
    references = (*people, "claimant_id", "about_account_id")
    gone: dict[str, pl.DataFrame] = {}
    for name, frame in shown.items():
        if name in ("privacy_request", "account_ban"):  # outlive the account: no foreign key
            continue
        condition = pl.lit(False)
        for column in references:
            if column in frame.columns:
                condition |= (pl.col(column) == account_id).fill_null(False)
        for parent, column in (("service_request", "request_id"), ("booking", "booking_id")):
            if name != parent and column in frame.columns and parent in gone:
                condition |= pl.col(column).is_in(gone[parent][column].implode()).fill_null(False)
        gone[name] = frame.filter(condition).select(TABLES[name].key)
    return {name: keys for name, keys in gone.items() if keys.height}
