"""Making notices: whom each recipient is told of, by the name under which that recipient knows the person.

An erasure's notices are made between its tombstone, from which on it is certain, and the forgetting of the identifiers,
in one transaction for all cases that have none yet: after a crash anywhere each is there once.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
from psycopg import sql

from pseudonymisation.access.requests import RightsRequest
from pseudonymisation.disclosures import as_text
from pseudonymisation.erasure.ledger import cases_in, read_requests
from pseudonymisation.notices.store import cases_looked_at, note_purge_due, open_notices, purge_if_due
from pseudonymisation.policy.model import Policy
from pseudonymisation.policy.recipients import Naming, Recipient
from pseudonymisation.session import prepare_session
from pseudonymisation.vault import open_vault
from storage import LeiiError, Workspace, count

BEFORE_FORGOTTEN = ("tombstoned", "swept", "recomputed", "published")

_NEW_NOTICE = """
INSERT INTO notices.notice
    (notice_id, recipient, event, state, case_id, privacy_request_id, subject_id, hand_over_id, made_at, written_at, handed_over_at)
"""

Name = tuple[str, str, str, str]
"""Account id, recipient, word, value."""


@dataclass(frozen=True, kw_only=True)
class NoticesMade:
    """`unnamed`: recipients, over all cases, to whom nothing in the sources names the person any more."""

    made: int = 0
    unnamed: int = 0


def make_erasure_notices(workspace: Workspace, policy: Policy, dsn: str) -> NoticesMade:
    """Make the notices of every case that has none yet and whose identifiers are not forgotten.

    Raises LeiiError, with nothing made, if the app database cannot tell by which names recipients know the people.
    """
    if not workspace.home.vault_file.exists():
        return NoticesMade()
    told = [one for one in policy.recipients.values() if one.is_told_of("erasure")]
    with workspace.connect() as con:
        with open_vault(con, workspace):
            pending = cases_in(con, *BEFORE_FORGOTTEN)
            if not pending:
                return NoticesMade()
            prepare_session(con, workspace)
            with open_notices(con, workspace):
                cases = sorted(set(pending) - cases_looked_at(con))
                if not cases:
                    return NoticesMade()
                _find_accounts(con, cases, dsn)
                accounts = [row[0] for row in con.execute("SELECT account_id FROM case_account").fetchall()]
                _find_names(con, told, names_of(dsn, told, accounts))
                made = _write_erasures(con, workspace, cases, [one.name for one in told])
        purge_if_due(workspace)
    return made


def make_correction_notices(workspace: Workspace, policy: Policy, dsn: str, request: RightsRequest) -> int:
    """Make the notices of one correction that has reached every purpose; gives how many are new.

    Each says what the recipient was given of the person's own record, as it is now. None is made about somebody whose
    erasure has begun: that is what recipients are told of then. Raises LeiiError as `make_erasure_notices`.
    """
    with workspace.connect() as con, open_vault(con, workspace):
        prepare_session(con, workspace)
        if not _is_living(con, request.account_id):
            return 0
        content = _correction_content(policy, dsn, request.account_id)
        con.register("found_content", _table(content, ("recipient", "part", "word", "value")))
        con.execute("CREATE OR REPLACE TEMP TABLE correction_content AS FROM found_content")
        con.unregister("found_content")
        with open_notices(con, workspace):
            con.execute("BEGIN")
            try:
                made = _write_corrections(con, workspace, request)
                con.execute("COMMIT")
            except BaseException:
                con.execute("ROLLBACK")
                raise
    return made


def _is_living(con: duckdb.DuckDBPyConnection, account_id: str) -> bool:
    """Whether the vault knows the account, and no tombstone stands for it."""
    known = "SELECT count(*) FROM vault.alias WHERE alias_hash = alias_hash('account', ?)"
    return count(con, f"{known} AND alias_hash NOT IN (SELECT alias_hash FROM vault.tombstone)", [account_id]) > 0


def _correction_content(policy: Policy, dsn: str, account_id: str) -> list[tuple[str, str, str, str | None]]:
    """(recipient, part, word, value) of everything that recipients are to be told of one account's correction."""
    told = [one for one in policy.recipients.values() if one.is_told_of("correction")]
    names = names_of(dsn, told, [account_id])
    known = sorted({recipient for _, recipient, _, _ in names})
    own = [
        (name, "now", word, value)
        for name in known
        for word, value in _own_values(policy, dsn, policy.recipients[name], account_id)
    ]
    return [(recipient, "known_as", word, value) for _, recipient, word, value in names] + own


def _write_corrections(con: duckdb.DuckDBPyConnection, workspace: Workspace, request: RightsRequest) -> int:
    """What is in temp table `correction_content`, for recipients who have no notice of this request yet."""
    number = request.privacy_request_id
    made = count(
        con,
        f"""
        {_NEW_NOTICE}
        SELECT uuid(), recipient, 'correction', 'waiting', NULL, ?,
            (SELECT any_value(subject_id) FROM vault.alias WHERE alias_hash = alias_hash('account', ?)), NULL, ?, NULL, NULL
        FROM (SELECT DISTINCT recipient FROM correction_content)
        WHERE recipient NOT IN (SELECT recipient FROM notices.notice WHERE privacy_request_id = ?)
        """,
        [number, request.account_id, workspace.now, number],
    )
    con.execute(
        """
        INSERT INTO notices.content
        SELECT notice.notice_id, found.part, found.word, found.value
        FROM correction_content AS found JOIN notices.notice AS notice USING (recipient)
        WHERE notice.privacy_request_id = ? AND notice.state = 'waiting'
          AND notice.notice_id NOT IN (SELECT notice_id FROM notices.content)
        """,
        [number],
    )
    return made


def names_of(dsn: str, recipients: Iterable[Recipient], account_ids: Sequence[str]) -> list[Name]:
    """By which names these recipients know these accounts, as the app database has it now."""
    found: list[Name] = []
    if not account_ids:
        return found
    with _reading("how recipients know people cannot be read from the app"), psycopg.connect(dsn) as connection:
        for recipient in recipients:
            for naming in recipient.known_as:
                with _reading(f"how {recipient.name} knows people cannot be read from app.{naming.table}"):
                    rows = connection.execute(_query(naming), [list(account_ids), *_values(naming)]).fetchall()
                found += [(account, recipient.name, naming.word, value) for account, value in rows]
    return found


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Raise LeiiError in place of the server's word, which may have a value in it."""
    try:
        yield
    except psycopg.Error as error:
        raise LeiiError(
            f"{what} ({type(error).__name__}): check recipients.yml, and the role that LEII_APP_DB_DSN names"
        ) from None


def _query(naming: Naming) -> sql.Composed:
    names = {
        "person": sql.Identifier(naming.person),
        "named": sql.Identifier(naming.named),
        "table": sql.Identifier(naming.table),
        "whose": sql.Identifier("other" if naming.through else "mine"),
    }
    joined: sql.Composable = sql.SQL("")
    if naming.through is not None:
        joined = sql.SQL("join app.{table} as other on other.{key} = mine.{key}").format(
            table=sql.Identifier(naming.through.table), key=sql.Identifier(naming.through.key)
        )
    alone: sql.Composable = sql.SQL("")
    if naming.unless_shared:
        alone = sql.SQL(
            "and not exists (select from app.{table} as shared "
            "where shared.{named} = mine.{named} and shared.{person} <> mine.{person})"
        ).format(**names)
    conditions = [sql.SQL("and mine.{}::text = %s").format(sql.Identifier(column)) for column in naming.when]
    return sql.SQL(
        "select distinct {whose}.{person}::text, mine.{named}::text from app.{table} as mine {joined} "
        "where {whose}.{person} = any(%s::uuid[]) and mine.{named} is not null {conditions} {alone}"
    ).format(joined=joined, conditions=sql.SQL(" ").join(conditions), alone=alone, **names)


def _values(naming: Naming) -> list[str]:
    return [as_text(value) for value in naming.when.values()]


def _find_accounts(con: duckdb.DuckDBPyConnection, cases: Sequence[str], dsn: str) -> None:
    """Make temp table `case_account` (case_id, account_id) of those who asked in the app; nobody else's id is known."""
    asked = sorted({request.account_id for request in read_requests(dsn)})
    con.register("asked_account", pa.table({"account_id": pa.array(asked, pa.string())}))
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE case_account AS
        SELECT DISTINCT own.case_id, asked.account_id
        FROM asked_account AS asked JOIN vault.erasing_alias AS own ON own.alias_hash = alias_hash('account', asked.account_id)
        WHERE CAST(own.case_id AS VARCHAR) IN (SELECT unnest(?))
        """,
        [list(cases)],
    )
    con.unregister("asked_account")


def _find_names(con: duckdb.DuckDBPyConnection, told: Sequence[Recipient], names: Sequence[Name]) -> None:
    """Make temp table `found_name` (case_id, recipient, word, value). An account's own id is known without a row of it."""
    own_id = [(one.name, way.word) for one in told for way in one.known_as if way.named == way.person]
    con.register("name_in_app", _table(names, ("account_id", "recipient", "word", "value")))
    con.register("own_id", _table(own_id, ("recipient", "word")))
    con.execute("""
        CREATE OR REPLACE TEMP TABLE found_name AS
        SELECT own.case_id, name.recipient, name.word, name.value
        FROM name_in_app AS name JOIN case_account AS own USING (account_id)
        UNION
        SELECT own.case_id, own_id.recipient, own_id.word, own.account_id
        FROM case_account AS own
        JOIN vault.erasing_alias AS alias USING (case_id)
        JOIN vault.disclosure AS known ON known.subject_id = alias.subject_id
        JOIN own_id ON own_id.recipient = known.recipient
    """)
    con.unregister("name_in_app")
    con.unregister("own_id")


def _write_erasures(
    con: duckdb.DuckDBPyConnection, workspace: Workspace, cases: Sequence[str], told: Sequence[str]
) -> NoticesMade:
    """In one transaction: the notices of these cases, and that they have been looked at."""
    con.execute("CREATE OR REPLACE TEMP TABLE new_case AS SELECT CAST(unnest(?) AS UUID) AS case_id", [list(cases)])
    con.execute("BEGIN")
    try:
        _drop_corrections(con, workspace)
        made = _write_named(con, workspace)
        unnamed = _write_unnamed(con, workspace, told)
        con.execute("INSERT INTO notices.looked FROM new_case")
        con.execute("COMMIT")
    except BaseException:
        con.execute("ROLLBACK")
        raise
    return NoticesMade(made=made, unnamed=unnamed)


def _write_named(con: duckdb.DuckDBPyConnection, workspace: Workspace) -> int:
    made = count(
        con,
        f"{_NEW_NOTICE} SELECT uuid(), recipient, 'erasure', 'waiting', case_id, NULL, NULL, NULL, ?, NULL, NULL "
        "FROM (SELECT DISTINCT case_id, recipient FROM found_name)",
        [workspace.now],
    )
    con.execute("""
        INSERT INTO notices.content
        SELECT notice.notice_id, 'known_as', found.word, found.value
        FROM found_name AS found JOIN notices.notice AS notice USING (case_id, recipient)
    """)
    return made


def _write_unnamed(con: duckdb.DuckDBPyConnection, workspace: Workspace, told: Sequence[str]) -> int:
    return count(
        con,
        f"""
        {_NEW_NOTICE}
        SELECT uuid(), recipient, 'erasure', 'unnamed', case_id, NULL, NULL, NULL, ?, NULL, NULL
        FROM (
            SELECT DISTINCT own.case_id, known.recipient
            FROM new_case JOIN vault.erasing_alias AS own USING (case_id)
            JOIN vault.disclosure AS known ON known.subject_id = own.subject_id
            WHERE known.recipient IN (SELECT unnest(?))
        ) ANTI JOIN found_name USING (case_id, recipient)
        """,
        [workspace.now, list(told)],
    )


def _drop_corrections(con: duckdb.DuckDBPyConnection, workspace: Workspace) -> None:
    """Whoever is told that somebody is erased need not be told what was corrected before."""
    con.execute("""
        CREATE OR REPLACE TEMP TABLE dropped AS
        SELECT notice_id, hand_over_id FROM notices.notice WHERE state = 'waiting' AND event = 'correction' AND subject_id IN
            (SELECT subject_id FROM vault.erasing_alias WHERE case_id IN (SELECT case_id FROM new_case))
    """)
    if count(con, "SELECT count(*) FROM dropped"):
        con.execute("DELETE FROM notices.content WHERE notice_id IN (SELECT notice_id FROM dropped)")
        con.execute("DELETE FROM notices.notice WHERE notice_id IN (SELECT notice_id FROM dropped)")
        # A file in which they stand is no longer good, and goes with the next tidying.
        con.execute(
            "UPDATE notices.notice SET hand_over_id = NULL, written_at = NULL "
            "WHERE state = 'waiting' AND hand_over_id IN (SELECT hand_over_id FROM dropped)"
        )
        note_purge_due(con, workspace)


def _own_values(policy: Policy, dsn: str, recipient: Recipient, account_id: str) -> list[tuple[str, str | None]]:
    """What the recipient is given of tables that have one row a person, as table.column and its value now."""
    found: list[tuple[str, str | None]] = []
    what = f"what {recipient.name} was given cannot be read from the app"
    with _reading(what), psycopg.connect(dsn) as connection:
        for table in policy.tables_from("app_db"):
            names = [name for name in recipient.gets if name.startswith(f"{table.name}.")]
            if not names or not set(table.key) <= set(table.subjects):
                continue
            columns = [sql.SQL("{}::text").format(sql.Identifier(name.partition(".")[2])) for name in names]
            query = sql.SQL("select {columns} from app.{table} where {key} = %s::uuid").format(
                columns=sql.SQL(", ").join(columns), table=sql.Identifier(table.name), key=sql.Identifier(table.key[0])
            )
            for row in connection.execute(query, [account_id]).fetchall():
                found += list(zip(names, row, strict=True))
    return found


def _table(rows: Sequence[tuple[Any, ...]], names: Sequence[str]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in names]
    return pa.table({name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)})
