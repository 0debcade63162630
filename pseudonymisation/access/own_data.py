"""What in a row is the person's own, by the policy: nobody else's id, and nothing that is about somebody else."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import psycopg
import pyarrow as pa

from pseudonymisation.access.document import OTHER_PARTY, Row, Value
from pseudonymisation.access.person import Person
from pseudonymisation.policy.model import FLAG_KIND, SUBJECT_KINDS, Column, Table

NAMING_KINDS = (*SUBJECT_KINDS, FLAG_KIND)

_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|cus_\w+|acct_\w+")
"""What an account's id, in the app or at Stripe, looks like inside a text."""


def column_of(table: Table, path: str) -> Column | None:
    """The policy's column for a path of a row; the longest wildcard covers what is not listed by itself."""
    if path in table.columns:
        return table.columns[path]
    parts = path.split(".")
    covering = (".".join([*parts[:count], "*"]) for count in range(len(parts) - 1, 0, -1))
    return next((table.columns[name] for name in covering if name in table.columns), None)


def own_fields(table: Table, values: Mapping[str, Any], person: Person) -> dict[str, Value]:
    """The fields of a source's row that are the person's, by path. What the policy does not classify is left out.

    Of Stripe's objects and of events, only personal data: the rest is how those systems work. In a table that names
    nobody, only what it says about a payment.
    """
    kept: dict[str, Value] = {}
    is_named = _is_named(table, values, person)
    for path, value in values.items():
        column = column_of(table, path)
        if column is None or value is None or value in ("", [], {}):
            continue
        if column.identifier in NAMING_KINDS:
            is_theirs = person.is_meant(column.identifier, value) or (column.identifier == "anonymous" and is_named)
            kept[path] = str(value) if is_theirs else OTHER_PARTY
        elif _is_theirs(table, column, values, person, is_named):
            kept[path] = _moment(value) if column.type == "epoch" else plain(value)
    return kept


def _is_named(table: Table, values: Mapping[str, Any], person: Person) -> bool:
    """Whether the row is the person's, and does not only mention them: then its cookie is theirs too, even if shared."""
    return any(person.is_meant(table.columns[path].identifier or "", values.get(path)) for path in owners(table))


def owners(table: Table) -> list[str]:
    """The subject columns whose person a row belongs to; another one is a party to it, or only mentioned."""
    return [path for path, rule in table.subjects.items() if rule != "detach"]


def _is_theirs(table: Table, column: Column, values: Mapping[str, Any], person: Person, is_named: bool) -> bool:
    if column.about is not None:
        owner = values.get(column.about)
        kind = table.columns[column.about].identifier or ""
        if not (is_named if owner is None else person.is_meant(kind, owner)):
            return False
    if table.source == "app_db":
        return True
    return column.category.startswith("user." if table.subjects else "user.payment")


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """A JSON object as dotted paths; lists of plain values stay lists."""
    if isinstance(value, dict):
        inner = ((f"{prefix}.{key}" if prefix else key, item) for key, item in value.items())
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        inner = ((f"{prefix}.{position}", item) for position, item in enumerate(value))
    else:
        return {prefix: value}
    return {path: item for key, child in inner for path, item in flat(child, key).items()}


def _moment(value: Any) -> str:
    """Seconds since 1970, as Stripe writes times."""
    return datetime.fromtimestamp(value, UTC).isoformat() if isinstance(value, int | float) else str(value)


def plain(value: Any) -> Value:
    """A value as JSON has it: times in ISO 8601, amounts as they are written."""
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, list | tuple):
        return [str(item) for item in value]
    return str(value)


def without_others(
    con: duckdb.DuckDBPyConnection, dsn: str, person: Person, tables: Mapping[str, list[Row]]
) -> dict[str, list[Row]]:
    """The same rows with every id of somebody else's account in a text, such as a list of results, made unreadable."""
    ids = {
        found
        for rows in tables.values()
        for row in rows
        for value in row.fields.values()
        for text in _texts(value)
        for found in _ID.findall(text)
    }
    others = _of_others(con, dsn, person, ids)
    if not others:
        return dict(tables)
    return {name: [_scrubbed(row, others) for row in rows] for name, rows in tables.items()}


def _of_others(con: duckdb.DuckDBPyConnection, dsn: str, person: Person, ids: Iterable[str]) -> frozenset[str]:
    own = frozenset().union(*person.known.values())
    asked = [one for one in ids if one.lower() not in own and one not in own]
    con.register("seen_id", pa.table({"value": pa.array(asked, pa.string())}))
    kinds = " OR ".join(
        f"alias_hash('{kind}', {text}) IN (SELECT alias_hash FROM vault.alias UNION ALL SELECT alias_hash FROM vault.tombstone)"
        for kind, text in (("account", "lower(value)"), ("stripe_customer", "value"), ("stripe_account", "value"))
    )
    known = {row[0] for row in con.execute(f"SELECT value FROM seen_id WHERE {kinds}").fetchall()}
    con.unregister("seen_id")
    accounts = [one.lower() for one in asked if len(one) == 36]
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "select account_id::text from app.account where account_id::text = any(%s)", [accounts]
        )
        in_app = {row[0] for row in rows.fetchall()}
    return frozenset(known | {one for one in asked if one.lower() in in_app})


def _scrubbed(row: Row, others: frozenset[str]) -> Row:
    def clean(text: str) -> str:
        return _ID.sub(lambda found: OTHER_PARTY if found.group(0) in others else found.group(0), text)

    fields: dict[str, Value] = {}
    for name, value in row.fields.items():
        if isinstance(value, str):
            fields[name] = clean(value)
        elif isinstance(value, list):
            fields[name] = [clean(item) for item in value]
        else:
            fields[name] = value
    return row.model_copy(update={"fields": fields})


def _texts(value: Value) -> list[str]:
    if isinstance(value, str):
        return [value]
    return list(value) if isinstance(value, list) else []
