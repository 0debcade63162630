"""Who the person is: to the vault, to each purpose, and in the sources."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import duckdb
import psycopg
import pyarrow as pa

from pseudonymisation.erasure.ledger import ALIASES_OF_NEW_CASES
from pseudonymisation.erasure.predicate import names_sql
from pseudonymisation.policy.model import FLAG_KIND, FLAGS, Policy, Table
from pseudonymisation.session import prepare_session
from storage import Workspace


@dataclass(frozen=True, kw_only=True)
class Person:
    """The identifiers that the person goes by in the sources, by kind."""

    account_id: str
    known: Mapping[str, frozenset[str]]

    def is_meant(self, kind: str, value: object) -> bool:
        return value is not None and str(value) in self.known.get(kind, frozenset())


def resolve_person(con: duckdb.DuckDBPyConnection, workspace: Workspace, account_id: str) -> str:
    """Make temp table `own_alias` (case_id, alias_hash, subject_id) by the rule of erasures; gives the account's alias hash.

    The vault must be attached, and stays so while the other functions here are used.
    """
    prepare_session(con, workspace, FLAGS)
    con.execute(
        "CREATE OR REPLACE TEMP TABLE new_case AS SELECT uuid() AS case_id, alias_hash('account', ?) AS alias_hash",
        [account_id],
    )
    con.execute(f"CREATE OR REPLACE TEMP TABLE own_alias AS {ALIASES_OF_NEW_CASES}")
    # An erasure takes what only the erased have left; nobody is shown what may have been another's.
    con.execute(
        "DELETE FROM own_alias WHERE alias_hash IN "
        "(SELECT cookie_hash FROM vault.cookie_link GROUP BY cookie_hash HAVING count(DISTINCT account_hash) > 1)"
    )
    row = con.execute("SELECT CAST(alias_hash AS VARCHAR) FROM new_case").fetchone()
    assert row is not None
    return str(row[0])


def load_person(con: duckdb.DuckDBPyConnection, workspace: Workspace, purpose: str) -> None:
    """Prepare the session for a purpose and make temp table `erased`, which the predicate of erasures asks: the person."""
    prepare_session(con, workspace, purpose)
    con.execute(
        "CREATE OR REPLACE TEMP TABLE erased AS "
        f"SELECT case_id, pseudonym, TRY_CAST(pseudonym AS UUID) AS person FROM ({names_sql('own_alias')})"
    )


def own_among(con: duckdb.DuckDBPyConnection, kind: str, values: Iterable[str]) -> frozenset[str]:
    """Those of these identifiers of one kind that are the person's."""
    con.register("offered", pa.table({"value": pa.array(set(values), pa.string())}))
    rows = con.execute(
        "SELECT value FROM offered WHERE alias_hash(?, value) IN (SELECT alias_hash FROM own_alias)", [kind]
    ).fetchall()
    con.unregister("offered")
    return frozenset(row[0] for row in rows)


def find_person(con: duckdb.DuckDBPyConnection, policy: Policy, dsn: str, account_id: str) -> Person:
    """The person's identifiers as the app database has them: every value there that the vault knows for theirs."""
    known: dict[str, frozenset[str]] = {"account": frozenset([account_id])}
    offered: dict[str, set[str]] = {}
    with psycopg.connect(dsn) as connection:
        for table in policy.tables_from("app_db"):
            for path, kind in _identifiers(table):
                query = f'select distinct "{path}"::text from app."{table.name}" where "{path}" is not null'
                own = f' and "{_account_column(table)}" = %s::uuid' if kind.startswith("stripe_") else ""
                rows = connection.execute((query + own).encode(), [account_id] if own else []).fetchall()
                found = {row[0] for row in rows}
                if own:
                    known[kind] = known.get(kind, frozenset()) | found
                else:
                    offered.setdefault(kind, set()).update(found)
    for kind, values in offered.items():
        known[kind] = own_among(con, kind, values)
    return Person(account_id=account_id, known=known)


def _identifiers(table: Table) -> list[tuple[str, str]]:
    """Columns with identifiers other than the account's id: Stripe's of the row's account, cookies, ids of flags."""
    kinds = ("stripe_customer", "stripe_account", "anonymous", FLAG_KIND)
    return [(column.path, column.identifier) for column in table.columns.values() if column.identifier in kinds]


def _account_column(table: Table) -> str:
    return next(path for path in table.subjects if table.columns[path].identifier == "account")
