"""When two identifiers turn out to be one person, what that changes, also backwards for what is stored.

A cookie: whose its events are says `visits`.

A customer or account of Stripe that was known before an account claimed it is a person of its own until then. With the
claim it becomes the account's: every stored pseudonym is rewritten, and the old secret is destroyed when every purpose has
done so. What belongs to an account is not taken from it by another one's claim.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from pseudonymisation.compaction import note_compaction_due
from pseudonymisation.loading_sql import outputs_of
from pseudonymisation.policy.model import SUBJECT_KINDS, Policy, Table
from pseudonymisation.visits import EVENT, owners_sql
from storage import count


@dataclass(frozen=True, kw_only=True)
class _Visit:
    """What a purpose calls the columns of an event that say whose it is."""

    target: str
    account: str
    visitor: str
    is_signed_in: str
    received_at: str


def apply_identity_changes(
    con: duckdb.DuckDBPyConnection, policy: Policy, purpose: str, batch_ids: Sequence[int]
) -> int:
    """Rewrite the purpose's stored rows by what the vault learnt from these batches; returns how many. Again is harmless.

    The session is prepared for the purpose, with the vault and the purpose attached; the batches are loaded. Changed rows
    get the newest of the batches, so that incremental models see them.
    """
    if not batch_ids:
        return 0
    con.execute("CREATE OR REPLACE TEMP TABLE new_batch AS SELECT unnest(?) AS batch_id", [list(batch_ids)])
    con.execute("BEGIN")
    changed = _rename_merged(con, policy, purpose, max(batch_ids))
    visit = _visit_columns(policy, purpose)
    if visit is not None:
        changed += _give_visits(con, visit, max(batch_ids))
    con.execute("COMMIT")
    return changed


def note_claims(con: duckdb.DuckDBPyConnection, kind: str, batch_id: int, now: datetime) -> None:
    """Merge people who were known by an identifier in temp table `candidate` alone into the account that owns it now.

    What an account claims whose erasure has begun is erased too, in a case of its own: the account's sweep is over, so
    whoever was merged into it would be left. `candidate` has (alias_hash, owner_hash). To be called before what is known is
    removed from it.
    """
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE claimed AS
        SELECT known.alias_hash, known.subject_id, candidate.owner_hash,
            candidate.owner_hash IN (SELECT alias_hash FROM vault.tombstone) AS is_erased
        FROM candidate JOIN vault.alias AS known ON known.alias_hash = candidate.alias_hash AND known.kind = ?
        WHERE known.subject_id NOT IN (SELECT subject_id FROM vault.alias WHERE kind = 'account')
        """,
        [kind],
    )
    con.execute(
        "INSERT INTO vault.vanished SELECT alias_hash, ? FROM claimed WHERE is_erased "
        "AND alias_hash NOT IN (SELECT alias_hash FROM vault.vanished)",
        [now],
    )
    con.execute("""
        CREATE OR REPLACE TEMP TABLE claim AS
        SELECT claimed.subject_id AS old_subject_id, min(owner.subject_id) AS subject_id
        FROM claimed JOIN vault.alias AS owner ON owner.alias_hash = claimed.owner_hash
        WHERE NOT claimed.is_erased AND owner.subject_id <> claimed.subject_id
        GROUP BY claimed.subject_id
    """)
    con.execute("INSERT INTO vault.merged_subject SELECT old_subject_id, subject_id, ? FROM claim", [batch_id])
    con.execute(
        "UPDATE vault.alias SET subject_id = claim.subject_id FROM claim WHERE alias.subject_id = claim.old_subject_id"
    )


def forget_merged(con: duckdb.DuckDBPyConnection, reached: int) -> int:
    """Destroy the secrets of people who were merged in a batch that every purpose has; returns how many. `reached` is the
    newest such batch."""
    done = "SELECT old_subject_id FROM vault.merged_subject WHERE batch_id <= ?"
    gone = count(con, f"DELETE FROM vault.subject WHERE subject_id IN ({done})", [reached])
    con.execute("DELETE FROM vault.merged_subject WHERE batch_id <= ?", [reached])
    return gone


def visitor_outputs(table: Table, purpose: str) -> dict[str, str]:
    """The purpose's columns that say whose an event is, by path; an incomplete set if it does not get them all."""
    return {
        column.path: outputs_of(table, column, treatment)[0].name
        for column, treatment in table.outputs(purpose)
        if column.path in ("userId", "anonymousId", "user_id", "receivedAt")
    }


def _visit_columns(policy: Policy, purpose: str) -> _Visit | None:
    table = policy.tables.get(EVENT)
    names = visitor_outputs(table, purpose) if table is not None else {}
    if table is None or len(names) < len(("userId", "anonymousId", "user_id", "receivedAt")):
        return None
    return _Visit(
        target=f"purpose.src.{table.stored_name}",
        account=names["userId"],
        visitor=names["anonymousId"],
        is_signed_in=names["user_id"],
        received_at=names["receivedAt"],
    )


def _rename_merged(con: duckdb.DuckDBPyConnection, policy: Policy, purpose: str, batch_id: int) -> int:
    con.execute("""
        CREATE OR REPLACE TEMP TABLE renamed AS
        SELECT purpose_hmac(old.secret) AS old_name, purpose_hmac(new.secret) AS new_name
        FROM vault.merged_subject AS merged
        JOIN vault.subject AS old ON old.subject_id = merged.old_subject_id
        JOIN vault.subject AS new ON new.subject_id = merged.subject_id
        WHERE merged.batch_id IN (SELECT batch_id FROM new_batch)
    """)
    if count(con, "SELECT count(*) FROM renamed") == 0:
        return 0
    changed = 0
    for table in policy.tables_of(purpose):
        for path, output in table.subject_outputs(purpose).items():
            if table.columns[path].identifier in SUBJECT_KINDS:
                changed += count(
                    con,
                    f'UPDATE purpose.src.{table.stored_name} AS stored SET "{output}" = new_name, _batch_id = {batch_id} '
                    f'FROM renamed WHERE stored."{output}" = old_name',
                )
    if changed:
        note_compaction_due(con)
    return changed


def _give_visits(con: duckdb.DuckDBPyConnection, visit: _Visit, batch_id: int) -> int:
    """Give the stored events of cookies that were seen anew to whom they now belong."""
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE stored_visit AS
        SELECT event._row_key, seen.cookie_hash, CAST(event.{visit.received_at} AS DATE) AS day,
            event.{visit.account} AS account
        FROM {visit.target} AS event
        JOIN (
            SELECT alias.alias_hash AS cookie_hash, purpose_hmac(subject.secret) AS visitor
            FROM (
                SELECT DISTINCT cookie_hash FROM vault.cookie_link
                WHERE batch_id IN (SELECT batch_id FROM new_batch)
            ) AS link
            JOIN vault.alias AS alias ON alias.alias_hash = link.cookie_hash
            JOIN vault.subject AS subject USING (subject_id)
        ) AS seen ON seen.visitor = event.{visit.visitor}
        WHERE NOT event.{visit.is_signed_in}
    """)
    if count(con, "SELECT count(*) FROM stored_visit") == 0:
        return 0
    con.execute(f"CREATE OR REPLACE TEMP TABLE visit_owner AS {owners_sql('stored_visit')}")
    # An owner is named once, not once an event: hashing is what costs.
    con.execute("""
        CREATE OR REPLACE TEMP TABLE named_owner AS
        SELECT owner.account_hash, purpose_hmac(subject.secret) AS account,
            owner.account_hash IN (SELECT alias_hash FROM vault.tombstone) AS is_erased
        FROM (SELECT DISTINCT account_hash FROM visit_owner) AS owner
        LEFT JOIN vault.alias AS alias ON alias.alias_hash = owner.account_hash
        LEFT JOIN vault.subject AS subject USING (subject_id)
    """)
    con.execute("""
        CREATE OR REPLACE TEMP TABLE given_visit AS
        SELECT stored._row_key, named.account, stored.account AS account_before,
            coalesce(named.is_erased, false) AS is_erased
        FROM stored_visit AS stored
        LEFT JOIN visit_owner AS owner ON owner.cookie_hash = stored.cookie_hash AND owner.day = stored.day
        LEFT JOIN named_owner AS named ON named.account_hash = owner.account_hash
        WHERE stored.account IS DISTINCT FROM named.account OR named.is_erased
    """)
    gone = count(
        con, f"DELETE FROM {visit.target} WHERE _row_key IN (SELECT _row_key FROM given_visit WHERE is_erased)"
    )
    changed = count(
        con,
        f"UPDATE {visit.target} AS event SET {visit.account} = given.account, _batch_id = {batch_id} "
        "FROM given_visit AS given WHERE given._row_key = event._row_key",
    )
    if gone or count(con, "SELECT count(*) FROM given_visit WHERE account_before IS NOT NULL"):
        note_compaction_due(con)
    return gone + changed
