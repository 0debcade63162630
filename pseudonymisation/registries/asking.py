"""Ask Enhetsregisteret about the organisations that providers state, and let what is new reach the purposes.

An answer can change without the provider's row doing so. So the rows of those whose answer is new are landed again, and
are loaded with it as any changed row is. They are landed before the answers are kept: whoever is killed in between asks
and lands once more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import duckdb
import pyarrow as pa

from ingestion.app_db_queries import open_snapshot, read_arrow
from ingestion.app_db_tables import landing_expression, read_catalogue, select_query
from ingestion.enhetsregisteret import Organisation, ask
from ingestion.landing import Landing
from pseudonymisation.loading import VAULT_TAKER
from pseudonymisation.policy.model import Policy
from pseudonymisation.policy.source_tables import app_db_tables
from pseudonymisation.registries.answers import save_answers
from pseudonymisation.registries.names import names_agree
from pseudonymisation.registries.validity import VALID, validities
from pseudonymisation.session import prepare_session
from pseudonymisation.vault import open_vault
from storage import Workspace

SOURCE, TABLE = "app_db", "provider_profile"
RENEWED_AFTER = timedelta(days=7)
MOST_IN_A_PASS = 1_000
LANDED_TOGETHER = 5_000
_STATED = f"select account_id, org_number, display_name from app.{TABLE} where org_number is not null"
_SAME = "(account_hash, org_key, name_key)"
_SAID = ("outcome", "is_deregistered", "is_bankrupt", "is_winding_up", "name_agrees")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """`asked`: numbers; `answered`: those of which the register said something; `waiting`: those that are left for later
    passes; `landed_again`: providers whose outcome is new."""

    asked: int
    answered: int
    waiting: int
    landed_again: int


def ask_enhetsregisteret(
    workspace: Workspace,
    landing: Landing,
    policy: Policy,
    *,
    dsn: str,
    api_base: str,
    most: int = MOST_IN_A_PASS,
    first_wait_seconds: float = 0.5,
) -> Asked:
    """Ask about the numbers that have no answer, or an old one. To be called when the app database has been landed.

    Raises LeiiError if the app database cannot be read; the register itself may fail as it likes.
    """
    with workspace.connect() as con:
        prepare_session(con, workspace)
        _state(con, workspace, dsn)
        due = [row[0] for row in con.execute(_due_sql(), [workspace.now - RENEWED_AFTER]).fetchall()]
        found = dict(ask(api_base, due[:most], first_wait_seconds=first_wait_seconds))
        _take_in(con, workspace, found)
        changed = _changed(con, landing)
        _land_again(landing, policy, dsn, changed)
        save_answers(con, workspace, "FROM renewed_answer")
    answered = sum(one.is_answered for one in found.values())
    return Asked(asked=len(found), answered=answered, waiting=len(due) - answered, landed_again=len(changed))


def _state(con: duckdb.DuckDBPyConnection, workspace: Workspace, dsn: str) -> None:
    """Temp table `stated`: one row for each provider who is not erased and states a number that can be one."""
    con.register("read_stated", read_arrow(dsn, _STATED))
    numbers = con.execute("SELECT DISTINCT org_number FROM read_stated").to_arrow_table()["org_number"]
    words = validities("org_number", numbers.to_pylist(), accepts_synthetic=False, on=workspace.now.date())
    con.register("number_validity", pa.table({"org_number": numbers, "validity": pa.array(words, pa.string())}))
    con.execute(f"""
        CREATE TEMP TABLE stated AS
        SELECT account_id, alias_hash('account', account_id) AS account_hash, plain_org_number(org_number) AS number,
               display_name AS name, organisation_key(org_number) AS org_key,
               organisation_name_key(org_number, display_name) AS name_key
        FROM read_stated JOIN number_validity USING (org_number) WHERE validity = '{VALID}'
    """)
    con.unregister("read_stated")
    con.unregister("number_validity")
    if workspace.home.vault_file.exists():
        with open_vault(con, workspace, read_only=True):
            con.execute("DELETE FROM stated WHERE account_hash IN (SELECT alias_hash FROM vault.tombstone)")


def _due_sql() -> str:
    """Numbers that have never been asked first, then by age; `unknown` is asked again every time."""
    return f"""
        SELECT number FROM stated LEFT JOIN organisation_answer AS known USING {_SAME}
        WHERE known.asked_at IS NULL OR known.asked_at <= ? OR known.outcome = 'unknown'
        GROUP BY number ORDER BY min(known.asked_at) NULLS FIRST, number
    """


def _take_in(con: duckdb.DuckDBPyConnection, workspace: Workspace, found: Mapping[str, Organisation]) -> None:
    """Temp table `renewed_answer`: for each stated number what was found, or else what was known."""
    pairs = con.execute("SELECT DISTINCT number, name FROM stated WHERE number IN (SELECT unnest(?))", [list(found)])
    rows = [
        {
            "number": number,
            "name": name,
            "name_agrees": None if found[number].name is None else names_agree(name or "", found[number].name or ""),
            **{said: getattr(found[number], said) for said in ("is_answered", *_SAID[:-1])},
        }
        for number, name in pairs.fetchall()
    ]
    schema = pa.schema(
        [(name, pa.string()) for name in ("number", "name", "outcome")]
        + [(name, pa.bool_()) for name in ("is_answered", *_SAID[1:])]
    )
    con.register("found_answer", pa.Table.from_pylist(rows, schema=schema))
    is_new = "coalesce(found.is_answered OR known.asked_at IS NULL, FALSE)"
    said = ", ".join(f"CASE WHEN {is_new} THEN found.{name} ELSE known.{name} END AS {name}" for name in _SAID)
    con.execute(
        f"""
        CREATE TEMP TABLE renewed_answer AS
        SELECT account_id, account_hash, org_key, name_key, {said},
               CASE WHEN {is_new} THEN ?::TIMESTAMPTZ ELSE known.asked_at END AS asked_at
        FROM stated
        LEFT JOIN found_answer AS found ON found.number = stated.number AND found.name IS NOT DISTINCT FROM stated.name
        LEFT JOIN organisation_answer AS known USING {_SAME}
        WHERE found.number IS NOT NULL OR known.asked_at IS NOT NULL
        """,
        [workspace.now],
    )
    con.unregister("found_answer")


def _changed(con: duckdb.DuckDBPyConnection, landing: Landing) -> list[str]:
    """The accounts whose answer is not what it was, and whose row does not wait in landing anyhow."""
    con.execute("CREATE TEMP TABLE waiting_account (account_id VARCHAR)")
    for batch in landing.pending(VAULT_TAKER):  # what the vault has not taken, no purpose has
        if (batch.source, batch.table, batch.kind) == (SOURCE, TABLE, "rows"):
            con.execute(f"INSERT INTO waiting_account SELECT account_id FROM {landing.relation_sql(con, batch)}")
    now, then = (", ".join(f"{side}.{name}" for name in _SAID) for side in ("renewed", "known"))
    rows = con.execute(f"""
        SELECT renewed.account_id FROM renewed_answer AS renewed LEFT JOIN organisation_answer AS known USING {_SAME}
        WHERE ({now}) IS DISTINCT FROM ({then}) AND account_id NOT IN (SELECT account_id FROM waiting_account)
        ORDER BY 1
    """).fetchall()
    return [row[0] for row in rows]


def _land_again(landing: Landing, policy: Policy, dsn: str, account_ids: list[str]) -> None:
    table = next(table for table in app_db_tables(policy) if table.name == TABLE)
    for start in range(0, len(account_ids), LANDED_TOGETHER):
        listed = ", ".join(f"'{one}'::uuid" for one in account_ids[start : start + LANDED_TOGETHER])
        with open_snapshot(dsn) as snapshot:
            there = read_catalogue(snapshot)[TABLE]
            columns = [there[name] for name in table.columns]
            selected = ", ".join(landing_expression(column) for column in columns)
            with snapshot.stream(select_query(table, columns, f"account_id IN ({listed})")) as reader:
                landing.write(SOURCE, TABLE, "rows", reader, None, select=selected)
