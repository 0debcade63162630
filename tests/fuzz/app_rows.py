"""Rows of every table of the app's own schema, with values at the edges of what PostgreSQL can hold."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

TIMES = (
    "infinity",
    "-infinity",
    "0001-01-01",
    "9999-12-31 23:59:59",
    "20000-01-01",
    "294276-12-31",
    "4713-01-01 BC",
    "1969-07-20",
)
DATES = (
    "infinity",
    "-infinity",
    "0001-01-01",
    "9999-12-31",
    "20000-01-01",
    "5874897-12-31",
    "4713-01-01 BC",
    "2026-02-28",
)
TEXTS = (
    "", " ", "\x01\x1b[2J", "\u202e\u200d", "\ufeff", "\ufffe", "'; drop table x; --", '"', "\\", "NaN", "null", "é" * 5000,
    "x" * 200_000, "🙂", "\n\r\t", "{}", "+47 400 00 001", "a@b.no", "0", "-1", "9" * 400, "../..", "%s", "{{ x }}",
)  # fmt: skip
NUMBERS = ("NaN", "99999999.99", "-99999999.99", "0.005", "0", "-0")
FLOATS = ("NaN", "Infinity", "-Infinity", "1e308", "-1e308", "5e-324", "-0", "1e16", "59.9")
ARRAYS = ("{}", "{NULL}", "{{a,b},{c,d}}", '{"a\\"b","{}"}', '{""}', "[5:6]={x,y}")
DOCUMENTS = ("{}", "[]", "null", '"text"', "1", "1e400", '{"a": NaN}'.replace("NaN", "null"), '{"a":1,"a":2}',
             "[" * 900 + "]" * 900, '{"nps": "nine", "comment": {"x": []}}', '{"": null}', '"\\u00e9\\u2028"')  # fmt: skip
ADDRESSES = ("0.0.0.0/0", "::/0", "10.1.2.3/8", "::ffff:1.2.3.4", "2001:db8::1", "255.255.255.255")
INTEGERS = ("0", "-1", "2147483647", "-2147483648")

STRANGE: dict[str, tuple[str, ...]] = {
    "timestamptz": TIMES, "date": DATES, "text": TEXTS, "numeric": NUMBERS, "float8": FLOATS, "_text": ARRAYS,
    "jsonb": DOCUMENTS, "inet": ADDRESSES, "int4": INTEGERS, "int2": ("0", "-32768", "32767"), "bool": ("true", "false"),
}  # fmt: skip
PLAIN: dict[str, str] = {
    "timestamptz": "2026-10-01 10:00", "date": "1990-01-01", "text": "word", "numeric": "100.50", "float8": "59.9",
    "_text": "{a}", "jsonb": "{}", "inet": "10.0.0.1", "int4": "1", "int2": "4", "bool": "true",
}  # fmt: skip
TABLES = (
    "account", "service_category", "provider_profile", "service_offer", "availability_slot", "service_request",
    "request_candidate", "booking", "review", "message", "support_case", "survey_response", "login", "insurance_claim",
    "consent", "privacy_request", "account_ban", "fraud_flag_decision",
)  # fmt: skip
ACCOUNTS = 60


@dataclass(frozen=True, kw_only=True)
class Filled:
    """How many rows each table has, and how many there are in all with at least one strange value."""

    rows: dict[str, int]
    strange: int


def fill(dsn: str, seed: int, rows: int) -> Filled:
    """Put rows into every table, three of four with strange values."""
    chance = random.Random(seed)
    with psycopg.connect(dsn) as connection:
        connection.execute("truncate app.account, app.service_category cascade")
        connection.execute(sql.SQL("truncate {}").format(sql.SQL(", ").join(_named(name) for name in TABLES)))
        filled = {name: _fill_table(connection, chance, name, rows) for name in TABLES}
    return Filled(
        rows={name: count for name, (count, _) in filled.items()},
        strange=sum(strange for _, strange in filled.values()),
    )


def _named(table: str) -> sql.Identifier:
    return sql.Identifier("app", table)


def _fill_table(connection: psycopg.Connection[Any], chance: random.Random, table: str, rows: int) -> tuple[int, int]:
    columns = connection.execute(
        "select column_name, udt_name, is_nullable = 'YES' from information_schema.columns "
        "where table_schema = 'app' and table_name = %s order by ordinal_position",
        [table],
    ).fetchall()
    rows = {"account": ACCOUNTS, "provider_profile": ACCOUNTS, "account_ban": ACCOUNTS, "service_category": 5}.get(
        table, rows
    )
    insert = sql.SQL("insert into {} ({}) values ({}) on conflict do nothing").format(
        _named(table),
        sql.SQL(", ").join(sql.Identifier(name) for name, _, _ in columns),
        sql.SQL(", ").join(sql.SQL("%s::{}").format(sql.Identifier("pg_catalog", kind)) for _, kind, _ in columns),
    )
    values = [[_value(chance, table, number, *column) for column in columns] for number in range(1, rows + 1)]
    with connection.cursor() as cursor:
        cursor.executemany(insert, values)
    found = connection.execute(sql.SQL("select count(*) from {}").format(_named(table))).fetchone()
    assert found is not None
    kinds = [kind for _, kind, _ in columns]
    strange = sum(any(map(_is_strange, kinds, row)) for row in values)
    return int(found[0]), strange


def _value(chance: random.Random, table: str, number: int, name: str, kind: str, may_be_null: bool) -> str | None:
    fixed = KEYS.get((table, name)) or KEYS.get((None, name))
    if fixed is not None:
        return fixed(chance, number)
    if kind == "uuid":
        return _account(chance.randint(1, ACCOUNTS))
    if may_be_null and chance.random() < 0.2:
        return None
    if kind == "int8":
        return str(number if name != "conversation_id" else chance.choice([0, 2**63 - 1, -(2**63)]))
    if name in ("booking_id", "request_id", "claim_id"):
        return str(number)
    return chance.choice(STRANGE[kind]) if number % 4 and chance.random() < 0.25 else PLAIN[kind]


def _is_strange(kind: str, value: str | None) -> bool:
    return value != PLAIN.get(kind) and value in STRANGE.get(kind, ())


def _account(number: int) -> str:
    return str(UUID(int=number, version=4))


Key = Callable[[random.Random, int], str | None]
KEYS: dict[tuple[str | None, str], Key] = {
    ("account", "account_id"): lambda _, number: _account(number),
    ("provider_profile", "account_id"): lambda _, number: _account(number),
    ("account_ban", "account_id"): lambda _, number: _account(number),
    ("service_category", "category_id"): lambda _, number: str(number),
    ("service_category", "slug"): lambda chance, number: chance.choice(TEXTS)[:50] + str(number),
    (None, "category_id"): lambda chance, _: str(chance.randint(1, 5)),
    ("message", "booking_id"): lambda *_: None,
    ("review", "booking_id"): lambda *_: None,
    ("booking", "request_id"): lambda *_: None,
}
"""Columns that must refer to something, by table and name, or by name alone."""
