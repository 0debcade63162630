"""What the app shows a person about a privacy request."""

from collections.abc import Sequence
from dataclasses import astuple
from datetime import datetime

import psycopg
import pyarrow as pa

from pseudonymisation.erasure.receipts import Receipt
from pseudonymisation.vault import open_vault
from storage import Workspace, count

_UPSERT = """
insert into app.privacy_receipt as there
    (privacy_request_id, state, eligible_at, explanation, certificate_id, updated_at)
select privacy_request_id, state, eligible_at, explanation, certificate_id, %(now)s from staged_receipt
on conflict (privacy_request_id) do update set
    state = excluded.state,
    eligible_at = excluded.eligible_at,
    explanation = excluded.explanation,
    certificate_id = excluded.certificate_id,
    updated_at = excluded.updated_at
where (there.state, there.eligible_at, there.explanation, there.certificate_id)
    is distinct from (excluded.state, excluded.eligible_at, excluded.explanation, excluded.certificate_id)
"""


def write_receipts(dsn: str, receipts: Sequence[Receipt], now: datetime) -> int:
    """Write the receipts that are new or say something new, in one transaction; returns how many."""
    if not receipts:
        return 0
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(
            "create temp table staged_receipt (privacy_request_id bigint primary key, state text, "
            "eligible_at timestamptz, explanation text, certificate_id text) on commit drop"
        )
        with cursor.copy("copy staged_receipt from stdin") as copy:
            for receipt in receipts:
                copy.write_row(astuple(receipt))
        cursor.execute(_UPSERT, {"now": now})
        return cursor.rowcount


def certificates_lost(workspace: Workspace, dsn: str) -> int:
    """How many certificates the app shows of erasures that this vault has no part in: it is from before them.

    0 if there is no vault yet, or the app cannot be asked, which the reading of it then says.
    """
    if not workspace.home.vault_file.exists():
        return 0
    shown = (
        "select distinct certificate_id from app.privacy_receipt join app.privacy_request using (privacy_request_id) "
        "where state = 'done' and certificate_id is not null"
    )
    try:
        with psycopg.connect(dsn) as connection:
            ids = [row[0] for row in connection.execute(shown).fetchall()]
    except psycopg.Error:
        return 0
    with workspace.connect() as con, open_vault(con, workspace):
        con.register("shown", pa.table({"certificate_id": pa.array(ids, pa.string())}))
        return count(
            con,
            "SELECT count(*) FROM shown WHERE certificate_id NOT IN "
            "(SELECT certificate_id FROM vault.erasure WHERE certificate_id IS NOT NULL)",
        )
