"""What the sources and the books say about the jobs of those who ask to be erased. Set-based, one query a source."""

from dataclasses import replace
from typing import Any

import duckdb
import psycopg
import pyarrow as pa

from pseudonymisation.erasure.eligibility import Jobs
from pseudonymisation.identify import pseudonyms_of_accounts
from storage import Workspace, attached

BOOKS = "accounting"
"""The purpose whose rows outlive a deletion in the app, and which knows every dispute."""

_APP_JOBS = """
with asked as (select unnest(%s::uuid[]) as account_id),
job as (
    select a.account_id, b.booking_id, b.status, b.completed_at, b.paid_at
    from asked a join app.booking b on b.customer_id = a.account_id
    union
    select a.account_id, b.booking_id, b.status, b.completed_at, b.paid_at
    from asked a join app.booking b on b.provider_id = a.account_id
)
select account_id::text,
    count(*) filter (where status in ('booked', 'in_progress')),
    count(*) filter (where status = 'completed' and paid_at is null),
    count(*) filter (where exists (
        select from app.insurance_claim c where c.booking_id = job.booking_id and c.status not in ('rejected', 'settled'))),
    max(greatest(completed_at, paid_at))
from job group by account_id
"""

_OPEN_DISPUTE = "('needs_response', 'under_review', 'warning_needs_response', 'warning_under_review')"

_BOOKS_JOBS = f"""
WITH party AS (
    SELECT unnest([customer_id, provider_id]) AS person, greatest(completed_at, paid_at) AS settled_on
    FROM purpose.src.app_db__booking WHERE status = 'completed'
),
disputed AS (
    SELECT unnest([charge.customer_id, charge.provider_id]) AS person
    FROM purpose.src.stripe__dispute AS dispute JOIN purpose.src.stripe__charge AS charge USING (charge_id)
    WHERE dispute.status IN {_OPEN_DISPUTE}
),
settled AS (SELECT person, max(settled_on) AS settled_on FROM party GROUP BY person),
dispute_count AS (SELECT person, count(*) AS disputes FROM disputed GROUP BY person)
SELECT asked.account_id, coalesce(dispute_count.disputes, 0),
    CAST(settled.settled_on + INTERVAL 1 DAY AS TIMESTAMPTZ)
FROM asked_pseudonym AS asked
LEFT JOIN settled ON settled.person = CAST(asked.pseudonym AS UUID)
LEFT JOIN dispute_count ON dispute_count.person = CAST(asked.pseudonym AS UUID)
"""


def jobs_in_app(dsn: str, account_ids: list[str]) -> dict[str, Jobs]:
    """Jobs by account id, as the app database has them now; accounts without a booking are left out."""
    if not account_ids:
        return {}
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(_APP_JOBS, [account_ids]).fetchall()
    return {row[0]: Jobs(open=row[1], unpaid=row[2], claimed=row[3], last_settled_at=row[4]) for row in rows}


def jobs_in_books(con: duckdb.DuckDBPyConnection, workspace: Workspace, asked: pa.Table) -> dict[str, Jobs]:
    """Disputes and the last settlement by `account_id`, as the books have them. `asked`: (pseudonym, account_id).

    The books know days only: a job counts as settled at the end of its day.
    """
    key = workspace.keyring.purpose_key(BOOKS, "warehouse")
    con.register("asked_pseudonym", asked)
    try:
        with attached(con, workspace.home.warehouse_file(BOOKS), "purpose", key, read_only=True):
            rows: list[tuple[Any, ...]] = con.execute(_BOOKS_JOBS).fetchall()
    finally:
        con.unregister("asked_pseudonym")
    return {row[0]: Jobs(disputed=row[1], last_settled_at=row[2]) for row in rows}


def jobs_of(con: duckdb.DuckDBPyConnection, workspace: Workspace, dsn: str, account_ids: list[str]) -> dict[str, Jobs]:
    """What both know of these accounts. The session has the vault attached and is prepared for the books.

    Open, unpaid and claimed jobs are the app's word, disputes the books'; the books' last settlement counts only for
    an account of which the app has no job any more.
    """
    in_app = jobs_in_app(dsn, account_ids)
    asked = pseudonyms_of_accounts(con, pa.table({"account_id": pa.array(account_ids, pa.string())}))
    in_books = jobs_in_books(con, workspace, asked)
    known = {account_id: replace(jobs, disputed=_disputes(in_books, account_id)) for account_id, jobs in in_app.items()}
    return {**in_books, **known}


def _disputes(in_books: dict[str, Jobs], account_id: str) -> int:
    return in_books[account_id].disputed if account_id in in_books else 0
