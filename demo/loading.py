"""Bringing the rows of a world into PostgreSQL with COPY, in an order in which every foreign key holds."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import psycopg
from psycopg import sql

from demo.world.output import read_table, read_world_file
from demo.world.tables import TABLES, WORLD_TABLES, Table

_CHUNK = 100_000


def load_world(world: Path, admin_dsn: str) -> dict[str, int]:
    """Replaces everything in schema `app`, flags and receipts too, by the world's rows; gives the rows of each table.

    One transaction: it is all there or nothing is.
    """
    read_world_file(world)
    rows: dict[str, int] = {}
    with psycopg.connect(admin_dsn) as connection:
        every = sql.SQL(", ").join(sql.SQL("app.{}").format(sql.Identifier(name)) for name in TABLES)
        connection.execute(sql.SQL("truncate {}").format(every))
        for name in WORLD_TABLES:
            frame = read_table(world / "app_db", name)
            if frame is None:
                raise FileNotFoundError(f"{world / 'app_db'} lacks {name}.parquet: generate the world anew")
            copy_rows(connection, sql.SQL("app.{}").format(sql.Identifier(name)), TABLES[name], frame)
            rows[name] = frame.height
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        connection.execute("analyze")
    return rows


def copy_rows(
    connection: psycopg.Connection[tuple[object, ...]], target: sql.Composable, table: Table, frame: pl.DataFrame
) -> None:
    """Appends the frame's rows to `target`, which has the table's columns."""
    columns = sql.SQL(", ").join(sql.Identifier(column) for column in table.columns)
    statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(target, columns)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for start in range(0, frame.height, _CHUNK):
            copy.write(_as_csv(table, frame[start : start + _CHUNK]))


def _as_csv(table: Table, frame: pl.DataFrame) -> str:
    """CSV as COPY reads it: null is nothing, an empty text is quoted, an array is `{a,b}`."""
    arrays = [
        pl.concat_str([pl.lit("{"), pl.col(name).list.join(","), pl.lit("}")]).fill_null("{}").alias(name)
        for name, kind in table.columns.items()
        if kind == "texts"
    ]
    return frame.select(list(table.columns)).with_columns(arrays).write_csv(include_header=False)
