"""The held zone: what the law makes Leii keep about an erased person, until the day the hold ends and no longer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import duckdb

from pseudonymisation.erasure.predicate import erased_by
from pseudonymisation.loading_sql import rule_of, stored_columns
from pseudonymisation.policy.model import HeldByLaw, Policy, Table
from pseudonymisation.row_rules import row_is_touched
from storage import Workspace, attached, compact_copy, count

_SCHEMA = """
CREATE TABLE IF NOT EXISTS held.row (
    purpose VARCHAR NOT NULL, table_name VARCHAR NOT NULL, row_key UUID NOT NULL,
    statute VARCHAR NOT NULL, held_until DATE NOT NULL, content VARCHAR NOT NULL
);
CREATE TABLE IF NOT EXISTS held.identifier (
    purpose VARCHAR NOT NULL, kind VARCHAR NOT NULL, pseudonym UUID NOT NULL, held_until DATE NOT NULL
);
"""

BAN_HOLD = "INTERVAL 24 MONTH"
"""How long what stops a banned person from coming back may be kept (erasure rules of R19)."""

_BAN_COLUMNS = {
    "app_db__account": ("phone", "email", "national_id"),
    "app_db__provider_profile": ("bank_account",),
    "stripe__payment_method": ("card_fingerprint",),
    "app_db__login": ("device_id",),
}


@contextmanager
def open_held(con: duckdb.DuckDBPyConnection, workspace: Workspace, *, read_only: bool = False) -> Iterator[None]:
    """Attach the held zone as `held`."""
    key = workspace.keyring.zone_key("held")
    with attached(con, workspace.home.held_file, "held", key, read_only=read_only):
        if not read_only:
            con.execute(_SCHEMA)
        yield


def hold_rows(con: duckdb.DuckDBPyConnection, policy: Policy, purpose: str, tables: Sequence[Table]) -> None:
    """Copy the rows that the law holds about the people in `erased` to the held zone; a row is held once.

    Leaves the temp tables of `find_rows_to_hold`.
    """
    law = find_rows_to_hold(con, policy, purpose, tables)
    con.execute(
        """
        INSERT INTO held.row
        SELECT ?, hold.table_name, hold.row_key, ?, max(hold.held_until), any_value(hold_content.content)
        FROM hold JOIN hold_content USING (table_name, row_key)
        WHERE NOT EXISTS (FROM held.row AS known WHERE known.purpose = ?
            AND known.table_name = hold.table_name AND known.row_key = hold.row_key)
        GROUP BY hold.table_name, hold.row_key
        """,
        [purpose, law.statute, purpose],
    )


def find_rows_to_hold(
    con: duckdb.DuckDBPyConnection, policy: Policy, purpose: str, tables: Sequence[Table]
) -> HeldByLaw:
    """Make temp tables `hold` (case_id, table_name, row_key, held_until) and `hold_content`; gives the law.

    A table whose rows have no day of their own is held only for somebody of whom other rows are held, and as long as the
    longest of them. The purpose must be one of whose rows a law holds some.
    """
    law = policy.purposes[purpose].held_by_law
    assert law is not None
    con.execute("CREATE OR REPLACE TEMP TABLE hold (case_id UUID, table_name VARCHAR, row_key UUID, held_until DATE)")
    con.execute("CREATE OR REPLACE TEMP TABLE hold_content (table_name VARCHAR, row_key UUID, content VARCHAR)")
    for table in sorted(tables, key=lambda table: table.event_at is None):
        _find_rows(con, table, purpose, law)
    return law


def hold_banned(con: duckdb.DuckDBPyConnection, workspace: Workspace, purpose: str) -> None:
    """Keep, for the banned among `erased`, the identifiers that would show the same person coming back."""
    for table, columns in _BAN_COLUMNS.items():
        for column in columns:
            con.execute(
                f"""
                INSERT INTO held.identifier
                SELECT DISTINCT ?, ?, row.{column}, CAST(CAST(? AS TIMESTAMPTZ) + {BAN_HOLD} AS DATE)
                FROM purpose.src.{table} AS row
                WHERE row.{column} IS NOT NULL
                  AND row.account_id IN (SELECT person FROM erased)
                  AND row.account_id IN (SELECT account_id FROM purpose.src.app_db__account_ban WHERE lifted_at IS NULL)
                  AND NOT EXISTS (FROM held.identifier AS known WHERE known.pseudonym = row.{column})
                """,
                [purpose, column, workspace.now],
            )


@dataclass(frozen=True, kw_only=True)
class HeldUntil:
    """How many rows one statute holds; `first` and `last`: the last days of those that go first and last."""

    statute: str
    rows: int
    first: date
    last: date


def held_until(workspace: Workspace) -> list[HeldUntil]:
    """What is held and until when, by statute; a ban's identifiers under their own name."""
    if not workspace.home.held_file.exists():
        return []
    with workspace.connect() as con, open_held(con, workspace, read_only=True):
        rows = con.execute("""
            SELECT statute, count(*), min(held_until), max(held_until)
            FROM (SELECT statute, held_until FROM held.row UNION ALL SELECT 'a ban', held_until FROM held.identifier)
            GROUP BY statute ORDER BY statute
        """).fetchall()
    return [HeldUntil(statute=row[0], rows=row[1], first=row[2], last=row[3]) for row in rows]


def expire_held(con: duckdb.DuckDBPyConnection, workspace: Workspace) -> int:
    """Remove what is held past its day and rewrite the file, so that it is gone from the disk; gives the rows removed."""
    if not workspace.home.held_file.exists():
        return 0
    removed = 0
    with open_held(con, workspace):
        for table in ("row", "identifier"):
            sql = f"DELETE FROM held.{table} WHERE held_until < CAST(CAST(? AS TIMESTAMPTZ) AS DATE)"
            removed += count(con, sql, [workspace.now])
    if removed:
        key = workspace.keyring.zone_key("held")
        compact_copy(con, workspace.home.held_file, key, workspace.home.held_file, key)
    return removed


def _find_rows(con: duckdb.DuckDBPyConnection, table: Table, purpose: str, law: HeldByLaw) -> None:
    rule = rule_of(table, purpose)
    touched = row_is_touched(rule, erased_by(dict(stored_columns(table, purpose))))
    condition = ""
    if purpose in table.held_when:
        condition = f" AND coalesce(CAST({table.held_when[purpose]} AS VARCHAR), 'false') <> 'false'"
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE held_candidate AS SELECT * FROM purpose.src.{table.stored_name} WHERE {touched}{condition}"
    )
    day = "CAST(NULL AS DATE)"
    if table.event_at is not None:
        event = table.columns[table.event_at].treatments[purpose].output
        day = f"make_date(CAST(year({event}) AS INTEGER) + {law.years_after_year_end}, 12, 31)"
    named = " UNION ".join(
        f"SELECT erased.case_id, row._row_key, {day} AS held_until FROM held_candidate AS row "
        f"JOIN erased ON erased.person = row.{subject}"
        for subject in rule.subjects
    )
    con.execute(f"""
        INSERT INTO hold
        SELECT named.case_id, '{table.stored_name}', named._row_key, coalesce(named.held_until, longest.held_until)
        FROM ({named}) AS named
        LEFT JOIN (SELECT case_id, max(held_until) AS held_until FROM hold GROUP BY case_id) AS longest USING (case_id)
        WHERE coalesce(named.held_until, longest.held_until) IS NOT NULL
    """)
    con.execute(f"""
        INSERT INTO hold_content
        SELECT '{table.stored_name}', _row_key, to_json(row) FROM held_candidate AS row
        WHERE _row_key IN (SELECT row_key FROM hold WHERE table_name = '{table.stored_name}')
    """)
