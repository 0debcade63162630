"""Tables in a purpose's schema `src` that are no copy of a source and no dbt model, and that dbt models read.

They name nobody and have no column that descends from one person: an erasure does to them what coverage.yml says.
"""

from collections.abc import Mapping

import duckdb

FRAUD_MODEL = "_fraud_model"
FRAUD_SCORECARD = "_fraud_scorecard"

OWN_TABLES: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "fraud": {
        FRAUD_MODEL: {
            "model_id": "INTEGER",
            "state": "VARCHAR",
            "is_switched_on": "BOOLEAN",
            "intercept": "DOUBLE",
            "trained_at": "TIMESTAMPTZ",
            "payments_to": "TIMESTAMPTZ",
            "expires_at": "TIMESTAMPTZ",
            "payments": "BIGINT",
            "frauds": "BIGINT",
            "judged_payments": "BIGINT",
            "judged_frauds": "BIGINT",
            "average_precision": "DOUBLE",
            "average_precision_in_use": "DOUBLE",
        },
        FRAUD_SCORECARD: {
            "model_id": "INTEGER",
            "feature": "VARCHAR",
            "value_from": "DOUBLE",
            "value_below": "DOUBLE",
            "points": "DOUBLE",
        },
    }
}
"""By purpose: tables, and their columns with DuckDB's types."""


def create_own_tables(con: duckdb.DuckDBPyConnection, purpose: str) -> None:
    """Make them, if they are not there, in the purpose that is attached as `purpose`."""
    for table, columns in OWN_TABLES.get(purpose, {}).items():
        listed = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
        con.execute(f"CREATE TABLE IF NOT EXISTS purpose.src.{table} ({listed})")
