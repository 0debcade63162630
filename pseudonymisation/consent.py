"""Consent that was withdrawn in the app (R5): what rested on it goes from every purpose, and only that.

An event that was received before its person's last withdrawal of `analytics_cookies`, or while it held, is brought to what
ingestion would have let through without that consent: an essential event keeps its essential fields, any other is
removed. The models follow in the same run. Marketing cookies and personalisation have nothing to remove: pixel events
and campaigns go to no purpose, and no purpose rests on the consent to personalisation.
"""

from dataclasses import dataclass

import duckdb
import psycopg
import pyarrow as pa

from ingestion.consent import ESSENTIAL_EVENTS, ESSENTIAL_PATHS
from ingestion.landing import open_landing
from pseudonymisation.compaction import create_mark, note_compaction_due
from pseudonymisation.loading import open_purpose
from pseudonymisation.loading_sql import outputs_of
from pseudonymisation.policy.model import Policy, Table
from pseudonymisation.session import prepare_session
from pseudonymisation.vault import note_purge_due, open_vault
from storage import Workspace, count

CONSENT = "analytics_cookies"

# Without the consent: from the beginning until it was granted after the last withdrawal, or for good.
_WITHDRAWN = """
with state as (
    select coalesce(account_id::text, anonymous_id) as who,
        case when account_id is null then 'anonymous' else 'account' end as kind, granted, recorded_at
    from app.consent where purpose = %s
),
last_withdrawal as (select who, kind, max(recorded_at) as at from state where not granted group by who, kind)
select withdrawn.who, withdrawn.kind, min(again.recorded_at)
from last_withdrawal as withdrawn
left join state as again
    on again.who = withdrawn.who and again.kind = withdrawn.kind and again.granted and again.recorded_at > withdrawn.at
where withdrawn.who is not null
group by withdrawn.who, withdrawn.kind
"""

# Somebody who withdraws as an account withdraws for the cookies that are theirs alone, too.
_PEOPLE = """
CREATE OR REPLACE TEMP TABLE unconsenting AS
WITH asked AS (SELECT alias_hash(kind, who) AS alias_hash, kind, until FROM withdrawn),
own_cookie AS (
    SELECT link.cookie_hash AS alias_hash, asked.until
    FROM asked JOIN vault.cookie_link AS link ON link.account_hash = asked.alias_hash
    WHERE NOT EXISTS (FROM vault.cookie_link AS other
                      WHERE other.cookie_hash = link.cookie_hash AND other.account_hash <> link.account_hash)
),
named AS (SELECT alias_hash, until FROM asked UNION ALL FROM own_cookie)
SELECT purpose_hmac(subject.secret) AS person, max(coalesce(named.until, TIMESTAMPTZ 'infinity')) AS until
FROM named JOIN vault.alias AS alias USING (alias_hash) JOIN vault.subject AS subject USING (subject_id)
GROUP BY person
"""


@dataclass(frozen=True, kw_only=True)
class ConsentApplied:
    """Rows, over all purposes: removed, and reduced to what needs no consent."""

    removed: int = 0
    reduced: int = 0


def apply_withdrawn_consent(workspace: Workspace, policy: Policy, dsn: str) -> ConsentApplied:
    """Bring every purpose's events in line with the newest consents in the app; again changes nothing."""
    withdrawn = _read_withdrawn(dsn)
    removed = reduced = 0
    if withdrawn.num_rows == 0 or not workspace.home.vault_file.exists():
        return ConsentApplied()
    table = policy.table("events", "event")
    with workspace.connect() as con:
        con.register("withdrawn", withdrawn)
        with open_vault(con, workspace):
            for purpose in table.purposes:
                with open_landing(workspace) as landing:
                    batch_id = landing.reserve_batch_id()
                prepare_session(con, workspace, purpose)
                con.execute(_PEOPLE)
                with open_purpose(con, workspace, purpose):
                    gone, less = _apply(con, table, purpose, batch_id)
                removed, reduced = removed + gone, reduced + less
            _forget_cookies(con, workspace)
    return ConsentApplied(removed=removed, reduced=reduced)


def _read_withdrawn(dsn: str) -> pa.Table:
    """Who is without the consent: (who, kind of alias, until when or null)."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(_WITHDRAWN, [CONSENT]).fetchall()
    columns = list(zip(*rows, strict=True)) if rows else [(), (), ()]
    types = (pa.string(), pa.string(), pa.timestamp("us", tz="UTC"))
    return pa.table({name: pa.array(c, t) for name, c, t in zip(("who", "kind", "until"), columns, types, strict=True)})


def _apply(con: duckdb.DuckDBPyConnection, table: Table, purpose: str, batch_id: int) -> tuple[int, int]:
    """Remove and reduce in one purpose, in one transaction; gives both counts of rows.

    Changed rows get `batch_id`, so that incremental models see them.
    """
    target = f"purpose.src.{table.stored_name}"
    outputs = {column.path: outputs_of(table, column, treatment) for column, treatment in table.outputs(purpose)}
    people = [outputs[path][0].name for path in ("userId", "anonymousId") if path in outputs]
    received, event = outputs["receivedAt"][0].name, outputs["event"][0].name
    named = " UNION ".join(
        f"SELECT event._row_key FROM {target} AS event JOIN unconsenting ON unconsenting.person = event.{person} "
        f"WHERE CAST(event.{received} AS TIMESTAMPTZ) < unconsenting.until"
        for person in people
    )
    essential = f"coalesce({event} IN ({', '.join(repr(name) for name in ESSENTIAL_EVENTS)}), FALSE)"
    surplus = [
        output.name for path, made in outputs.items() if path not in (*ESSENTIAL_PATHS, "user_id") for output in made
    ]
    con.execute(f"CREATE OR REPLACE TEMP TABLE without_consent AS {named}")
    create_mark(con)
    con.execute("BEGIN")
    removed = count(
        con, f"DELETE FROM {target} WHERE NOT {essential} AND _row_key IN (SELECT _row_key FROM without_consent)"
    )
    reduced = 0
    if surplus:
        left = " OR ".join(f"{name} IS NOT NULL" for name in surplus)
        reduced = count(
            con,
            f"UPDATE {target} SET {', '.join(f'{name} = NULL' for name in surplus)}, _batch_id = {batch_id} "
            f"WHERE {essential} AND ({left}) AND _row_key IN (SELECT _row_key FROM without_consent)",
        )
    if removed or reduced:
        note_compaction_due(con)
    con.execute("COMMIT")
    return removed, reduced


def _forget_cookies(con: duckdb.DuckDBPyConnection, workspace: Workspace) -> None:
    """Destroy the secret of a cookie that no account is tied to and whose consent is gone for good."""
    con.execute("""
        CREATE OR REPLACE TEMP TABLE forgotten_cookie AS
        SELECT alias.alias_hash, alias.subject_id
        FROM withdrawn JOIN vault.alias AS alias ON alias.alias_hash = alias_hash('anonymous', withdrawn.who)
        WHERE withdrawn.kind = 'anonymous' AND withdrawn.until IS NULL
          AND alias.alias_hash NOT IN (SELECT cookie_hash FROM vault.cookie_link)
    """)
    if count(con, "SELECT count(*) FROM forgotten_cookie") == 0:
        return
    con.execute("BEGIN")
    con.execute("DELETE FROM vault.subject WHERE subject_id IN (SELECT subject_id FROM forgotten_cookie)")
    con.execute("DELETE FROM vault.alias WHERE alias_hash IN (SELECT alias_hash FROM forgotten_cookie)")
    note_purge_due(con, workspace)
    con.execute("COMMIT")
