"""How a column of the policy is read from a landed row: by its name, or by its path in the row's JSON."""

from collections.abc import Sequence

from ingestion.stripe_shapes import REDACTED
from pseudonymisation.policy.model import Column, Table

_JSON_COLUMN = {"stripe": "object", "events": "payload"}
_BESIDE = {"stripe": ("account", "deleted"), "events": ("event", "user_id")}
_MEANT = (
    "CASE WHEN {0} >= TIMESTAMPTZ '0001-01-02 00:00:00+00' AND {0} < TIMESTAMPTZ '9999-12-31 00:00:00+00' THEN {0} END"
)
"""Times that every step can hold: not infinite, and within four-digit years."""
_CASTS = {
    "integer": "TRY_CAST({} AS BIGINT)",
    "number": "TRY_CAST({} AS DOUBLE)",
    "boolean": "TRY_CAST({} AS BOOLEAN)",
    "epoch": _MEANT.format("TRY(to_timestamp(TRY_CAST({0} AS BIGINT)))"),
    "timestamp": _MEANT.format("TRY_CAST({0} AS TIMESTAMPTZ)"),
    "date": "TRY_CAST(" + _MEANT.format("TRY_CAST({0} AS TIMESTAMPTZ)") + " AS DATE)",
}


def raw_relation(table: Table, relation: str, paths: Sequence[str]) -> str:
    """A SELECT over a landed batch in which `raw_value` works for these paths.

    A row's JSON is parsed once for all of them. What was landed beside the JSON is there as "landed.<name>". What Stripe
    has redacted is null: as a value it would be shared by all whom it happened to.
    """
    json_column = _JSON_COLUMN.get(table.source)
    if json_column is None:
        return f"SELECT * FROM {relation}"
    inside = [path for path in dict.fromkeys(paths) if not table.columns[path].beside_object]
    fields = ", ".join(f"'{json_path(path)}'" for path in inside)
    beside = ", ".join(f'{name} AS "landed.{name}"' for name in _BESIDE[table.source])
    value = f"nullif(extracted[{{}}], '{REDACTED}')" if table.source == "stripe" else "extracted[{}]"
    picked = "".join(f', {value.format(position)} AS "{path}"' for position, path in enumerate(inside, start=1))
    kept = ", ".join(f'"landed.{name}"' for name in _BESIDE[table.source])
    return (
        f"SELECT {kept}{picked} FROM "
        f"(SELECT {beside}, json_extract_string({json_column}, [{fields}]) AS extracted FROM {relation})"
    )


def raw_value(table: Table, path: str) -> str:
    """The SQL of a raw value with its natural type, over `raw_relation`; JSON of another type reads as null."""
    column = table.columns[path]
    if table.source == "app_db":
        return f'"{path}"'
    if column.beside_object:
        return f'"landed.{path}"'
    return _CASTS.get(column.type, "{0}").format(f'"{path}"')


def json_path(path: str) -> str:
    """A dotted path as DuckDB's JSON path."""
    return "$." + ".".join(f'"{part}"' for part in path.split("."))


def used_paths(table: Table, purpose: str) -> list[str]:
    """Every path that loading a table for a purpose reads."""
    columns: list[Column] = [column for column, _ in table.outputs(purpose)]
    return list(dict.fromkeys([*table.key, *table.subjects, *(column.path for column in columns)]))
