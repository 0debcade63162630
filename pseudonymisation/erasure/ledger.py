"""The ledger of erasures: who asked, what was decided, and how far each case has come. A crash resumes from here.

A request is what somebody asked for; a case is one person's erasure. A case is tombstoned, swept, recomputed,
published, forgotten, verified and certified, each written down in the vault when it is reached, so that nothing is done
twice.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import psycopg
import pyarrow as pa

from pseudonymisation.erasure.eligibility import Jobs, Ruling, rule
from pseudonymisation.erasure.jobs import jobs_in_books, jobs_of
from storage import LeiiError, Workspace

VANISHED_SHARE_LIMIT = 0.05
VANISHED_COUNT_LIMIT = 20
"""More vanished accounts than this in one pass look like a source gone wrong, and none of them is erased."""

_REQUESTS = """
select privacy_request_id, account_id::text, identity_verified_at is not null, withdrawn_at is not null, requested_at
from app.privacy_request where kind = 'erasure' order by requested_at, privacy_request_id
"""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One erasure request of the app. `account_id` is used and forgotten; the ledger keeps its keyed hash."""

    privacy_request_id: int
    account_id: str
    identity_verified: bool
    withdrawn: bool
    requested_at: datetime


def read_requests(dsn: str) -> list[Request]:
    """Every erasure request in the app database, the oldest first."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(_REQUESTS).fetchall()
    return [
        Request(privacy_request_id=r[0], account_id=r[1], identity_verified=r[2], withdrawn=r[3], requested_at=r[4])
        for r in rows
    ]


def enter_requests(con: duckdb.DuckDBPyConnection, workspace: Workspace, dsn: str) -> None:
    """Write every request of the app into the ledger with today's ruling; what is decided for good stays.

    The session has the vault attached for writing and is prepared for the books.
    """
    finished = {
        row[0]
        for row in con.execute("SELECT privacy_request_id FROM vault.request WHERE case_id IS NOT NULL").fetchall()
    }
    asked = [request for request in read_requests(dsn) if request.privacy_request_id not in finished]
    jobs = jobs_of(con, workspace, dsn, sorted({request.account_id for request in asked}))
    rulings = [(request, _ruling(request, jobs, workspace.now)) for request in asked]
    con.execute("BEGIN")
    con.execute("DELETE FROM vault.request WHERE case_id IS NULL AND privacy_request_id IS NOT NULL")
    if rulings:
        con.register("ruling", _ruling_table(rulings))
        con.execute(
            """
            INSERT INTO vault.request
            SELECT privacy_request_id, alias_hash('account', account_id), NULL,
                decision, eligible_at, requested_at, ?
            FROM ruling
            """,
            [workspace.now],
        )
        con.unregister("ruling")
    _join_earlier_cases(con)
    con.execute("COMMIT")


def enter_vanished(con: duckdb.DuckDBPyConnection, workspace: Workspace) -> str | None:
    """Write accounts that are gone from the app into the ledger, as if they had asked. The session is as above.

    Returns why none of them was, if more are gone than ever go at once.
    """
    con.execute("DELETE FROM vault.request WHERE case_id IS NULL AND privacy_request_id IS NULL")
    known, gone = _one(
        con, "SELECT (SELECT count(*) FROM vault.alias WHERE kind = 'account'), (SELECT count(*) FROM vault.vanished)"
    )
    if gone > max(VANISHED_COUNT_LIMIT, VANISHED_SHARE_LIMIT * known):
        return (
            f"{gone} of {known} accounts are gone from app.account at once, so none of them was erased: check that the "
            "database is the right one and whole; the next run decides again"
        )
    asked = con.execute("""
        SELECT CAST(purpose_hmac(subject.secret) AS VARCHAR) AS pseudonym, CAST(vanished.alias_hash AS VARCHAR) AS account_id
        FROM vault.vanished AS vanished
        JOIN vault.alias AS alias USING (alias_hash) JOIN vault.subject AS subject USING (subject_id)
        WHERE alias_hash NOT IN (SELECT alias_hash FROM vault.request WHERE alias_hash IS NOT NULL AND decision = 'eligible')
    """).to_arrow_table()
    if asked.num_rows == 0:
        return None
    jobs = jobs_in_books(con, workspace, asked)
    rows = [
        (hashed, rule(withdrawn=False, identity_verified=True, jobs=found, now=workspace.now))
        for hashed, found in jobs.items()
    ]
    con.executemany(
        "INSERT INTO vault.request VALUES (NULL, ?, NULL, ?, ?, ?, ?)",
        [(hashed, r.decision, r.eligible_at, workspace.now, workspace.now) for hashed, r in rows],
    )
    return None


def enter_cookie(con: duckdb.DuckDBPyConnection, workspace: Workspace, cookie: str) -> None:
    """Write a cookie that no account is tied to into the ledger: who brings it is whoever's browser holds it, and it has no
    jobs. It is used and forgotten as an account's id is. The session is as above.

    Raises LeiiError, with nothing written, for a cookie that nothing is kept under, that an account used, or that is erased.
    """
    is_known, is_erased, is_shared = _one(
        con,
        """
        SELECT hash IN (SELECT alias_hash FROM vault.alias WHERE kind = 'anonymous'),
            hash IN (SELECT alias_hash FROM vault.tombstone), hash IN (SELECT cookie_hash FROM vault.cookie_link)
        FROM (SELECT alias_hash('anonymous', ?) AS hash)
        """,
        [cookie],
    )
    if is_erased:
        raise LeiiError(
            "this cookie is erased already, or its erasure has begun: `leii erase` carries on what has begun"
        )
    if not is_known:
        raise LeiiError("nothing is kept under this cookie: check that it is the anonymousId, whole and unchanged")
    if is_shared:
        raise LeiiError(
            "an account has used this cookie, so what is kept under it is that person's: they ask for it in the app, "
            "which verifies who they are"
        )
    con.execute(
        "INSERT INTO vault.request VALUES (NULL, alias_hash('anonymous', ?), NULL, 'eligible', ?, ?, ?)",
        [cookie, *[workspace.now] * 3],
    )


def open_cases(con: duckdb.DuckDBPyConnection, workspace: Workspace) -> int:
    """Make a case for each eligible person and tombstone every alias of theirs, in one transaction. Gives their number.

    From here no row about them enters again. The session is prepared for the fraud purpose, whose flags carry ids that
    the app sends back.
    """
    people = con.execute("""
        SELECT DISTINCT alias_hash FROM vault.request
        WHERE decision = 'eligible' AND case_id IS NULL AND alias_hash IS NOT NULL
    """).fetchall()
    if not people:
        return 0
    con.register(
        "eligible",
        pa.table({"case_id": [str(uuid.uuid4()) for _ in people], "alias_hash": [str(p[0]) for p in people]}),
    )
    con.execute("BEGIN")
    con.execute(
        "CREATE OR REPLACE TEMP TABLE new_case AS SELECT case_id::UUID AS case_id, alias_hash::UUID AS alias_hash FROM eligible"
    )
    con.execute(
        "INSERT INTO vault.erasure SELECT case_id, 'tombstoned', NULL, NULL, NULL, ?, ? FROM new_case",
        [workspace.now] * 2,
    )
    con.execute(f"INSERT INTO vault.erasing_alias {ALIASES_OF_NEW_CASES}")
    con.execute("""
        INSERT INTO vault.tombstone
        SELECT DISTINCT alias_hash, NULL FROM vault.erasing_alias
        WHERE alias_hash NOT IN (SELECT alias_hash FROM vault.tombstone)
    """)
    con.execute(
        "UPDATE vault.request SET case_id = new_case.case_id FROM new_case "
        "WHERE request.alias_hash = new_case.alias_hash AND request.case_id IS NULL"
    )
    con.execute("COMMIT")
    con.unregister("eligible")
    return len(people)


ALIASES_OF_NEW_CASES = """
WITH asked AS (
    SELECT new_case.case_id, new_case.alias_hash, alias.subject_id
    FROM new_case LEFT JOIN vault.alias AS alias USING (alias_hash)
),
own AS (
    SELECT asked.case_id, alias.alias_hash, alias.subject_id
    FROM asked JOIN vault.alias AS alias ON alias.subject_id = asked.subject_id
),
own_cookie AS (
    SELECT asked.case_id, cookie.alias_hash, cookie.subject_id
    FROM asked
    JOIN vault.cookie_link AS link ON link.account_hash = asked.alias_hash
    JOIN vault.alias AS cookie ON cookie.alias_hash = link.cookie_hash
    WHERE NOT EXISTS (FROM vault.cookie_link AS other
                      WHERE other.cookie_hash = link.cookie_hash
                        AND other.account_hash NOT IN (SELECT alias_hash FROM new_case)
                        AND other.account_hash NOT IN (SELECT alias_hash FROM vault.tombstone))
),
former AS (
    SELECT asked.case_id, asked.alias_hash, merged.old_subject_id AS subject_id
    FROM asked JOIN vault.merged_subject AS merged ON merged.subject_id = asked.subject_id
),
flag AS (
    SELECT asked.case_id,
        alias_hash('fraud_flag', app_flag_id(subject.secret)) AS alias_hash,
        CAST(NULL AS UUID) AS subject_id
    FROM asked JOIN vault.subject AS subject USING (subject_id)
)
SELECT DISTINCT case_id, alias_hash, subject_id
FROM (FROM asked UNION ALL FROM own UNION ALL FROM own_cookie UNION ALL FROM former UNION ALL FROM flag)
"""
"""SQL for every alias (case_id, alias_hash, subject_id) of the people in temp table `new_case` (case_id, alias_hash).

A cookie is among them if everybody who was seen with it is erased: in these cases, or before.
"""


def cases_in(con: duckdb.DuckDBPyConnection, *states: str) -> list[str]:
    """The ids of the cases that stand in one of these states."""
    rows = con.execute(
        "SELECT CAST(case_id AS VARCHAR) FROM vault.erasure WHERE state IN (SELECT unnest(?)) ORDER BY 1",
        [list(states)],
    )
    return [row[0] for row in rows.fetchall()]


def move_cases(con: duckdb.DuckDBPyConnection, cases: list[str], state: str, now: datetime) -> None:
    """Write down that these cases have reached a state."""
    con.execute(
        "UPDATE vault.erasure SET state = ?, blocked_by = NULL, updated_at = ? WHERE CAST(case_id AS VARCHAR) IN (SELECT unnest(?))",
        [state, now, cases],
    )


def block_cases(con: duckdb.DuckDBPyConnection, obstacles: Mapping[str, Sequence[str]], now: datetime) -> None:
    """Write down, by case, why it could not go on; the next run tries again."""
    for case, reasons in obstacles.items():
        con.execute(
            "UPDATE vault.erasure SET blocked_by = ?, updated_at = ? WHERE case_id = CAST(? AS UUID)",
            ["; ".join(reasons), now, case],
        )


def _join_earlier_cases(con: duckdb.DuckDBPyConnection) -> None:
    """A second request of somebody whose case is open or closed belongs to that case and changes nothing."""
    con.execute("""
        UPDATE vault.request SET case_id = known.case_id, decision = 'eligible'
        FROM (
            SELECT alias_hash, case_id FROM vault.erasing_alias
            UNION
            SELECT tombstone.alias_hash, erasure.case_id
            FROM vault.tombstone AS tombstone JOIN vault.erasure AS erasure USING (certificate_id)
        ) AS known
        WHERE request.alias_hash = known.alias_hash AND request.case_id IS NULL AND request.decision <> 'withdrawn'
    """)


def _ruling(request: Request, jobs: dict[str, Jobs], now: datetime) -> Ruling:
    return rule(
        withdrawn=request.withdrawn,
        identity_verified=request.identity_verified,
        jobs=jobs.get(request.account_id, Jobs()),
        now=now,
    )


def _ruling_table(rulings: list[tuple[Request, Ruling]]) -> pa.Table:
    moment = pa.timestamp("us", tz="UTC")
    return pa.table(
        {
            "privacy_request_id": pa.array([request.privacy_request_id for request, _ in rulings], pa.int64()),
            "account_id": pa.array([request.account_id for request, _ in rulings], pa.string()),
            "requested_at": pa.array([request.requested_at for request, _ in rulings], moment),
            "decision": pa.array([ruling.decision for _, ruling in rulings], pa.string()),
            "eligible_at": pa.array([ruling.eligible_at for _, ruling in rulings], moment),
        }
    )


def _one(con: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[str] = ()) -> tuple[Any, ...]:
    row = con.execute(sql, list(parameters)).fetchone()
    assert row is not None
    return row
