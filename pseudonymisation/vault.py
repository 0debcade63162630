"""The vault: one random secret for each person, their aliases as keyed hashes, tombstones, and the ledger's tables.

A pseudonym can be computed only from a secret in here. An alias (an account's id, a Stripe customer, a cookie) is
kept as HMAC-SHA-256 under a key of its own, so that the vault cannot be read backwards. A tombstone is the hash of an
alias whose person has been erased: it lets nothing about that alias in again.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pyarrow as pa

from ingestion.landing import Batch
from pseudonymisation.disclosures import note_disclosures
from pseudonymisation.identity import note_claims
from pseudonymisation.policy.model import SUBJECT_KINDS, Policy, Table
from pseudonymisation.raw_rows import raw_relation, raw_value
from storage import Workspace, attached, compact_copy, count

_SCHEMA = """
CREATE TABLE IF NOT EXISTS vault.subject (subject_id UUID NOT NULL, secret BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS vault.alias (alias_hash UUID NOT NULL, kind VARCHAR NOT NULL, subject_id UUID NOT NULL);
CREATE TABLE IF NOT EXISTS vault.cookie_link (
    cookie_hash UUID NOT NULL, account_hash UUID NOT NULL, seen_on DATE NOT NULL, batch_id BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS vault.merged_subject (
    old_subject_id UUID NOT NULL, subject_id UUID NOT NULL, batch_id BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS vault.disclosure (subject_id UUID NOT NULL, recipient VARCHAR NOT NULL, since DATE);
CREATE TABLE IF NOT EXISTS vault.tombstone (alias_hash UUID NOT NULL, certificate_id VARCHAR);
CREATE TABLE IF NOT EXISTS vault.stripe_tombstone (object_hash UUID NOT NULL, path VARCHAR);
CREATE TABLE IF NOT EXISTS vault.vanished (alias_hash UUID NOT NULL, noticed_at TIMESTAMPTZ NOT NULL);
CREATE TABLE IF NOT EXISTS vault.request (
    privacy_request_id BIGINT, alias_hash UUID, case_id UUID,
    decision VARCHAR NOT NULL, eligible_at TIMESTAMPTZ, requested_at TIMESTAMPTZ NOT NULL, decided_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE IF NOT EXISTS vault.erasure (
    case_id UUID NOT NULL, state VARCHAR NOT NULL, certificate_id VARCHAR, blocked_by VARCHAR,
    held_until DATE, started_at TIMESTAMPTZ NOT NULL, updated_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE IF NOT EXISTS vault.erasing_alias (case_id UUID NOT NULL, alias_hash UUID NOT NULL, subject_id UUID);
CREATE TABLE IF NOT EXISTS vault.erasing_pseudonym (case_id UUID NOT NULL, purpose VARCHAR NOT NULL, pseudonym VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS vault.erasure_effect (
    case_id UUID NOT NULL, purpose VARCHAR NOT NULL, table_name VARCHAR NOT NULL,
    rows_deleted BIGINT NOT NULL, rows_detached BIGINT NOT NULL, rows_held BIGINT NOT NULL
);
CREATE TABLE IF NOT EXISTS vault.purge_due (since TIMESTAMPTZ NOT NULL);
CREATE TABLE IF NOT EXISTS vault.restored (since TIMESTAMPTZ NOT NULL);
CREATE TABLE IF NOT EXISTS vault.taken_batch (batch_id BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS vault.held_written (number BIGINT NOT NULL);
"""


@dataclass(frozen=True, kw_only=True)
class Registration:
    """A column whose values become aliases. `creates`: an unknown value is a new person."""

    kind: str
    path: str
    same_as: str | None
    creates: bool


@contextmanager
def open_vault(con: duckdb.DuckDBPyConnection, workspace: Workspace, *, read_only: bool = False) -> Iterator[None]:
    """Attach the vault as `vault`. One process writes it; any number read it while none writes."""
    key = workspace.keyring.zone_key("vault")
    with attached(con, workspace.home.vault_file, "vault", key, read_only=read_only):
        if not read_only:
            con.execute(_SCHEMA)
        yield


def note_purge_due(con: duckdb.DuckDBPyConnection, workspace: Workspace) -> None:
    """To be called in the transaction that deletes: the deleted bytes are in the file until it is purged."""
    con.execute("INSERT INTO vault.purge_due VALUES (?)", [workspace.now])


def purge_if_due(con: duckdb.DuckDBPyConnection, workspace: Workspace) -> None:
    """Rewrite the vault's file if something was deleted, so that it is gone from the disk too. It must not be attached."""
    with open_vault(con, workspace):
        is_due = con.execute("SELECT count(*) > 0 FROM vault.purge_due").fetchone() == (True,)
    if not is_due:
        return
    key = workspace.keyring.zone_key("vault")
    compact_copy(con, workspace.home.vault_file, key, workspace.home.vault_file, key)
    with open_vault(con, workspace):
        con.execute("DELETE FROM vault.purge_due")


def registrations(table: Table) -> list[Registration]:
    """The identifying columns of a table from which the vault learns, those that create people first."""
    found = [
        Registration(
            kind=column.identifier,
            path=column.path,
            same_as=column.same_as,
            creates=column.identifier == "anonymous" or (column.path in table.key and _owns(table, column.identifier)),
        )
        for column in table.columns.values()
        if column.identifier in SUBJECT_KINDS
    ]
    return sorted((r for r in found if r.creates or r.same_as), key=lambda r: r.same_as is not None)


def _owns(table: Table, kind: str) -> bool:
    owner = {
        "account": ("app_db", "account"),
        "stripe_customer": ("stripe", "customer"),
        "stripe_account": ("stripe", "account"),
    }
    return owner.get(kind) == (table.source, table.name)


def register_batch(con: duckdb.DuckDBPyConnection, policy: Policy, batch: Batch, relation: str, now: datetime) -> int:
    """Learn the aliases in one landed batch; gives the number of people seen for the first time.

    The vault must be attached for writing and the session prepared. Learning a batch twice changes nothing.
    """
    table = policy.table(batch.source, batch.table)
    created = 0
    for registration in registrations(table):
        created += _register_column(con, table, registration, relation, batch.batch_id, now)
    note_disclosures(con, policy, table, relation)
    if (batch.source, batch.table) == ("events", "event"):
        _link_cookies(con, table, relation, batch.batch_id)
    return created


def _register_column(
    con: duckdb.DuckDBPyConnection,
    table: Table,
    registration: Registration,
    relation: str,
    batch_id: int,
    now: datetime,
) -> int:
    value = raw_value(table, registration.path)
    owner = "CAST(NULL AS UUID)"
    if registration.same_as is not None:
        owner_kind = table.columns[registration.same_as].identifier
        owner = f"alias_hash('{owner_kind}', {raw_value(table, registration.same_as)})"
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE candidate AS
        WITH raw AS ({raw_relation(table, relation, [registration.path, *([registration.same_as] if registration.same_as else [])])})
        SELECT alias_hash('{registration.kind}', {value}) AS alias_hash, min({owner}) AS owner_hash
        FROM raw WHERE {value} IS NOT NULL GROUP BY ALL
    """)
    if registration.same_as is not None:
        note_claims(con, registration.kind, batch_id, now)
    con.execute("DELETE FROM candidate WHERE alias_hash IN (SELECT alias_hash FROM vault.alias)")
    con.execute("DELETE FROM candidate WHERE alias_hash IN (SELECT alias_hash FROM vault.tombstone)")
    con.execute("""
        INSERT INTO vault.tombstone
        SELECT DISTINCT c.alias_hash, t.certificate_id
        FROM candidate AS c JOIN vault.tombstone AS t ON t.alias_hash = c.owner_hash
    """)
    con.execute("DELETE FROM candidate WHERE alias_hash IN (SELECT alias_hash FROM vault.tombstone)")
    con.execute(
        """
        INSERT INTO vault.alias
        SELECT c.alias_hash, ?, any_value(a.subject_id)
        FROM candidate AS c JOIN vault.alias AS a ON a.alias_hash = c.owner_hash GROUP BY c.alias_hash
        """,
        [registration.kind],
    )
    con.execute("DELETE FROM candidate WHERE alias_hash IN (SELECT alias_hash FROM vault.alias)")
    return _create_subjects(con, registration.kind) if registration.creates else 0


def _create_subjects(con: duckdb.DuckDBPyConnection, kind: str) -> int:
    con.execute("CREATE OR REPLACE TEMP TABLE newcomer AS SELECT DISTINCT alias_hash FROM candidate")
    newcomers = count(con, "SELECT count(*) FROM newcomer")
    if newcomers == 0:
        return 0
    fresh = pa.table(
        {
            "position": pa.array(range(1, newcomers + 1), pa.int64()),
            "subject_id": pa.array(_random_values(newcomers, 16), pa.binary()),
            "secret": pa.array(_random_values(newcomers, 32), pa.binary()),
        }
    )
    con.register("fresh_secret", fresh)
    con.execute("""
        CREATE OR REPLACE TEMP TABLE newcomer_subject AS
        SELECT n.alias_hash, CAST(lower(hex(f.subject_id)) AS UUID) AS subject_id, f.secret
        FROM (SELECT alias_hash, row_number() OVER () AS position FROM newcomer) AS n
        JOIN fresh_secret AS f USING (position)
    """)
    con.unregister("fresh_secret")
    con.execute("INSERT INTO vault.subject SELECT subject_id, secret FROM newcomer_subject")
    con.execute("INSERT INTO vault.alias SELECT alias_hash, ?, subject_id FROM newcomer_subject", [kind])
    con.execute("DROP TABLE newcomer_subject; DROP TABLE newcomer; DROP TABLE candidate")
    return newcomers


def _random_values(count: int, size: int) -> list[bytes]:
    pool = os.urandom(count * size)
    return [pool[start : start + size] for start in range(0, len(pool), size)]


def _link_cookies(con: duckdb.DuckDBPyConnection, table: Table, relation: str, batch_id: int) -> None:
    """Remember on which days a cookie was seen with an account, be it an erased one."""
    con.execute(f"""
        INSERT INTO vault.cookie_link
        WITH raw AS ({raw_relation(table, relation, ["anonymousId", "userId", "receivedAt"])}),
        pair AS (
            SELECT DISTINCT
                alias_hash('anonymous', {raw_value(table, "anonymousId")}) AS cookie_hash,
                alias_hash('account', {raw_value(table, "userId")}) AS account_hash,
                CAST({raw_value(table, "receivedAt")} AS DATE) AS seen_on
            FROM raw
        )
        SELECT cookie_hash, account_hash, seen_on, {batch_id} FROM pair
        WHERE cookie_hash IN (SELECT alias_hash FROM vault.alias)
          AND account_hash IN (SELECT alias_hash FROM vault.alias UNION ALL SELECT alias_hash FROM vault.tombstone)
          AND NOT EXISTS (FROM vault.cookie_link AS known
                          WHERE known.cookie_hash = pair.cookie_hash AND known.account_hash = pair.account_hash
                            AND known.seen_on = pair.seen_on)
    """)


def notice_vanished(con: duckdb.DuckDBPyConnection, workspace: Workspace, relation: str, kind: str) -> None:
    """Compare a batch's account ids with the accounts that the vault knows; remember who is gone, forget who is back.

    Of kind "keys", whoever is not named is gone; of kind "deleted", whoever is; of kind "rows", whoever is named is there.
    """
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE named_account AS
        SELECT DISTINCT alias_hash('account', CAST(account_id AS VARCHAR)) AS alias_hash FROM {relation}
    """)
    if kind != "deleted":
        con.execute("DELETE FROM vault.vanished WHERE alias_hash IN (SELECT alias_hash FROM named_account)")
    if kind != "rows":
        gone = "NOT IN" if kind == "keys" else "IN"
        con.execute(
            f"""
            INSERT INTO vault.vanished
            SELECT alias_hash, ? FROM vault.alias
            WHERE kind = 'account'
              AND alias_hash {gone} (SELECT alias_hash FROM named_account)
              AND alias_hash NOT IN (SELECT alias_hash FROM vault.vanished)
            """,
            [workspace.now],
        )
