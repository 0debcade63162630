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
from pseudonymisation.vault import open_vault
from storage import LeiiError, Workspace, attached, compact_copy, count

_SCHEMA = """
CREATE TABLE IF NOT EXISTS held.row (
    purpose VARCHAR NOT NULL, table_name VARCHAR NOT NULL, row_key UUID NOT NULL,
    statute VARCHAR NOT NULL, held_until DATE NOT NULL, content VARCHAR NOT NULL
);
CREATE TABLE IF NOT EXISTS held.identifier (
    purpose VARCHAR NOT NULL, kind VARCHAR NOT NULL, pseudonym UUID NOT NULL, held_until DATE NOT NULL
);
CREATE TABLE IF NOT EXISTS held.written (number BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS held.purge_due (since TIMESTAMPTZ NOT NULL);
"""
# written: how often something was added; the vault knows it too, so that a zone from a backup is noticed

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
    con.execute("BEGIN")
    added = count(
        con,
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
    _note_written(con, added)
    con.execute("COMMIT")
    _let_vault_know(con)


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
    con.execute("BEGIN")
    added = 0
    for table, columns in _BAN_COLUMNS.items():
        for column in columns:
            added += count(
                con,
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
    _note_written(con, added)
    con.execute("COMMIT")
    _let_vault_know(con)


def _note_written(con: duckdb.DuckDBPyConnection, added: int) -> None:
    """To be called in the transaction that adds to the zone."""
    if added:
        con.execute("INSERT INTO held.written SELECT coalesce(max(number), 0) + 1 FROM held.written")


def _let_vault_know(con: duckdb.DuckDBPyConnection) -> None:
    """Before anything that was copied to the zone is deleted elsewhere. The vault is attached."""
    con.execute("BEGIN")
    con.execute("DELETE FROM vault.held_written")
    con.execute("INSERT INTO vault.held_written SELECT max(number) FROM held.written HAVING max(number) IS NOT NULL")
    con.execute("COMMIT")


def is_held_complete(con: duckdb.DuckDBPyConnection, workspace: Workspace) -> bool:
    """Whether the zone has all that the vault knows was put there: one that is gone, or from a backup, has not.

    The vault is attached.
    """
    known = count(con, "SELECT coalesce(max(number), 0) FROM vault.held_written")
    if not known:
        return True
    if not workspace.home.held_file.exists():
        return False
    with open_held(con, workspace, read_only=True):
        there = "database_name = 'held' AND table_name = 'written'"
        if not count(con, f"SELECT count(*) FROM duckdb_tables() WHERE {there}"):
            return False
        return count(con, "SELECT coalesce(max(number), 0) FROM held.written") >= known


def require_held(con: duckdb.DuckDBPyConnection, workspace: Workspace) -> None:
    """Raise LeiiError if the zone lacks what was put there: no certificate could say what is held. The vault is attached."""
    if not is_held_complete(con, workspace):
        raise LeiiError(
            f"{workspace.home.held_file} is older than the vault knows it, or gone: what the law has you keep about erased "
            "people is missing, and no source has it. Put the newest backup of held/ back; if there is none, "
            "`leii erase --held-is-lost` goes on with what there is"
        )


def give_up_lost(workspace: Workspace) -> bool:
    """Let the zone count as whole as it is, by whoever answers for it; gives whether anything was missing."""
    with workspace.connect() as con, open_vault(con, workspace):
        if is_held_complete(con, workspace):
            return False
        with open_held(con, workspace):
            _let_vault_know(con)
    return True


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
    with open_held(con, workspace):
        con.execute("BEGIN")
        expired = "DELETE FROM held.{} WHERE held_until < CAST(CAST(? AS TIMESTAMPTZ) AS DATE)"
        removed = sum(count(con, expired.format(table), [workspace.now]) for table in ("row", "identifier"))
        if removed:
            con.execute("INSERT INTO held.purge_due VALUES (?)", [workspace.now])
        con.execute("COMMIT")
        is_due = count(con, "SELECT count(*) FROM held.purge_due") > 0
    if is_due:
        key = workspace.keyring.zone_key("held")
        compact_copy(con, workspace.home.held_file, key, workspace.home.held_file, key)
        with open_held(con, workspace):
            con.execute("DELETE FROM held.purge_due")
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
