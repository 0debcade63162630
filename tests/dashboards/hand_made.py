"""A copy whose marts a test writes by hand, so that figures can be worked out by hand too."""

import duckdb
import polars as pl

from publishing.readers import Parameters


class HandMade:
    """Tables of a few rows in a DuckDB of their own; `about` has the limits that matching's copies have."""

    def __init__(self, *statements: str) -> None:
        self._con = duckdb.connect()
        self._con.execute("SET TimeZone = 'UTC'; CREATE SCHEMA marts")
        self._con.execute(
            "CREATE TABLE about AS SELECT TIMESTAMPTZ '2026-11-15 06:00:00Z' AS built_at, 3 AS min_customers, 3 AS min_providers"
        )
        for statement in statements:
            self._con.execute(statement)

    def query(self, sql: str, parameters: Parameters = None) -> pl.DataFrame:
        return self._con.execute(sql, parameters).pl()

    def close(self) -> None:
        self._con.close()
