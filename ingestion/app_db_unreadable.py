"""Rows of the app database that no later step could hold: PostgreSQL knows infinite times, numbers that are none, and
lists of lists, or lists that do not begin at one, in a column of lists.

A stream with such a value breaks off as it is landed (`checked_expression`). They are then found by the server, within the
pass's snapshot, and left out of the stream, so that they cost no other row.
"""

from collections.abc import Sequence

from ingestion.app_db_queries import Snapshot, numeric_type
from ingestion.app_db_tables import Column, landing_expression, literal_text, quoted, server_expression
from ingestion.quarantine import Quarantine, QuarantinedRow
from ingestion.source_tables import SourceTable

SOURCE = "app_db"
REASON_CODE = "value"
_TIME = "{0} < '0001-01-01' OR {0} >= '10000-01-01'"  # an infinite one is either
_FLOAT = "{0} = 'NaN' OR abs({0}) > 1e15"
_BAD = {
    "date": _TIME,
    "timestamp": _TIME,
    "timestamptz": _TIME,
    "float4": _FLOAT,
    "float8": _FLOAT,
    "numeric": "{0} = 'NaN' OR abs({0}) >= 1e28",
}


def unreadable_condition(columns: Sequence[Column]) -> str:
    """SQL of PostgreSQL's, true for a row with a value that cannot be held, and never null; for no such column, false."""
    return " OR ".join(_is_bad(column) for column in columns if _test(column)) or "false"


def checked_expression(column: Column) -> str:
    """What DuckDB makes of a column while landing; a value that cannot be held is an error."""
    name, type_name = quoted(column.name), column.type_name
    refused = {
        "date": f"{name} < DATE '0001-01-01' OR {name} >= DATE '10000-01-01'",
        "timestamp": f"{name} < TIMESTAMP '0001-01-01' OR {name} >= TIMESTAMP '10000-01-01'",
        "timestamptz": f"{name} < TIMESTAMPTZ '0001-01-01 00:00:00+00' OR {name} >= TIMESTAMPTZ '10000-01-01 00:00:00+00'",
        "float4": f"isnan({name}) OR abs({name}) > 1e15",
        "float8": f"isnan({name}) OR abs({name}) > 1e15",
    }.get(type_name)
    if type_name == "numeric" and numeric_type(column.typmod) == "DECIMAL(38, 9)":
        refused = f"abs({name}::DECIMAL(38, 9)) >= 1e28"
    if refused is None:
        return landing_expression(column)
    value = landing_expression(column).removesuffix(f" AS {name}")
    return f"CASE WHEN {refused} THEN error('a value that no later step could hold') ELSE {value} END AS {name}"


def set_aside(
    snapshot: Snapshot, quarantine: Quarantine, table: SourceTable, columns: Sequence[Column], condition: str
) -> int:
    """Put the rows that cannot be held into quarantine, as JSON; returns how many were not there already."""
    bad = [column for column in columns if _test(column)]
    if not bad:
        return 0
    named = ", ".join(f"CASE WHEN {_is_bad(column)} THEN {literal_text(column.name)} END" for column in bad)
    values = ", ".join(f"{server_expression(column)} AS {quoted(column.name)}" for column in columns)
    query = (
        f"SELECT concat_ws(', ', {named}) AS bad, (SELECT row_to_json(kept)::text FROM (SELECT {values}) AS kept) AS content "
        f"FROM app.{quoted(table.name)} WHERE ({condition}) AND ({unreadable_condition(columns)})"
    )
    rows = [
        QuarantinedRow(
            source=SOURCE,
            position=f"app.{table.name}",
            line=None,
            reason_code=REASON_CODE,
            reason=f"a value that no later step could hold: {row['bad']}",
            content=row["content"].encode(),
        )
        for row in snapshot.table(query).to_pylist()
    ]
    return quarantine.add(rows)


def _is_bad(column: Column) -> str:
    return f"coalesce({(_test(column) or 'false').format(quoted(column.name))}, false)"


def _test(column: Column) -> str | None:
    """What is true of a bad value, with {0} for the value; None if there is none of the type."""
    return "array_ndims({0}) > 1 OR array_lower({0}, 1) <> 1" if column.category == "A" else _BAD.get(column.type_name)
