"""Marts that are published once and then stand: what a copy takes over from the one before it.

An erasure, a correction or a late row changes figures that have been published by a person or two, and whoever has both
copies would see in the difference whose cell it was. So each period of such a mart is published once, on its date, and
not again. That is what an erasure asks of it: statistics that are anonymous by the disclosure limits stand, and
everything behind them (the warehouse, from which nothing older is told again) is recomputed (R19). Where the rules themselves
have changed, by other limits or other columns, what stood by the old ones is published anew.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from pseudonymisation.policy.model import Purpose
from storage import LeiiError, attached, opens

_REF = re.compile(r"\{\{\s*ref\('(\w+)'\)\s*\}\}")


def edition_key(node: Mapping[str, Any]) -> str | None:
    """The date column of which each value is published once (`meta.edition`); None for a mart that follows the warehouse."""
    key = _meta(node).get("edition")
    return None if key is None else str(key)


def statement_of(node: Mapping[str, Any], published: Iterable[str]) -> str | None:
    """The SELECT of a mart that is made of published marts in the copy itself (`meta.made_of_editions`), else None.

    Made in the warehouse it would tell of what changed since. Raises LeiiError if it reads anything else.
    """
    if not _meta(node).get("made_of_editions"):
        return None
    known = set(published)
    sql = _REF.sub(lambda ref: f"copy.marts.{ref[1]}" if ref[1] in known else ref[0], str(node["raw_code"]))
    if "{{" in sql or "{%" in sql:
        raise LeiiError(
            f"{node['name']} is to be made of published marts and reads something else: it is not published"
        )
    return sql


@contextmanager
def standing_copy(
    con: duckdb.DuckDBPyConnection, path: Path, key: bytes, purpose: Purpose
) -> Iterator[Mapping[str, list[tuple[str, str]]]]:
    """The columns by table of the copy that stands, attached as `standing`; nothing if there is none by the same limits."""
    if not path.exists() or not opens(con, path.resolve(), key):
        yield {}
        return
    with attached(con, path.resolve(), "standing", key, read_only=True):
        limits = con.execute("SELECT min_customers, min_providers FROM standing.main.about").fetchone()
        if limits != (purpose.min_customers, purpose.min_providers):
            yield {}
            return
        found: dict[str, list[tuple[str, str]]] = {}
        for table, column, type_ in con.execute(
            "SELECT table_name, column_name, data_type FROM duckdb_columns() "
            "WHERE database_name = 'standing' AND schema_name = 'marts' ORDER BY table_name, column_index"
        ).fetchall():
            found.setdefault(table, []).append((column, type_))
        yield found


def with_standing(select: str, table: str, key: str, purpose: Purpose, now: datetime) -> str:
    """What stands of a mart as long as the purpose keeps anything, and of the warehouse what is newer than that."""
    oldest = (now - timedelta(days=purpose.retention_days)).date().isoformat()
    return (
        f'SELECT * FROM standing.marts."{table}" WHERE "{key}" >= DATE \'{oldest}\' UNION ALL BY NAME '
        f'SELECT * FROM ({select}) WHERE "{key}" > (SELECT coalesce(max("{key}"), DATE \'0001-01-01\') '
        f'FROM standing.marts."{table}")'
    )


def _meta(node: Mapping[str, Any]) -> Mapping[str, Any]:
    meta: Mapping[str, Any] = node.get("config", {}).get("meta") or {}
    return meta
