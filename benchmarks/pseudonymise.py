"""Pseudonymising landed rows into a purpose's encrypted file, against a plain copy of the same rows by DuckDB.

Aim: at most four times the plain copy.
"""

import shutil
import tempfile
from pathlib import Path

import duckdb

from benchmarks.candidates import new_workspace
from benchmarks.measure import compare
from ingestion.landing import Batch, Landing, open_landing
from pseudonymisation.loading import create_tables, open_purpose, register_people, take_batch
from pseudonymisation.policy.reading import load_policy
from pseudonymisation.session import prepare_session
from pseudonymisation.vault import open_vault
from storage import Workspace, attached

ROWS = 1_000_000
PURPOSE = "matching"

_ACCOUNTS = """
SELECT CAST(md5('account' || i) AS UUID)::VARCHAR AS account_id, now() AS created_at, now() AS updated_at,
    'Navn ' || i AS full_name, 'person' || i || '@example.no' AS email, '0150' AS postal_code,
    CAST(NULL AS VARCHAR) AS stripe_customer_id, FALSE AS is_provider, 'active' AS status
FROM range(200000) AS t(i)
"""

_BOOKINGS = f"""
SELECT i AS booking_id, i AS request_id,
    CAST(md5('account' || hash(i) % 150000) AS UUID)::VARCHAR AS customer_id,
    CAST(md5('account' || (150000 + hash(i + 7) % 50000)) AS UUID)::VARCHAR AS provider_id,
    CAST(1 + i % 12 AS BIGINT) AS category_id, now() - to_minutes(i) AS starts_at, now() AS ends_at,
    CAST(100 + i % 900 AS DECIMAL(18, 2)) AS price_nok, CAST(10 AS DECIMAL(18, 2)) AS platform_fee_nok,
    'completed' AS status, CAST(NULL AS VARCHAR) AS cancelled_by, 'card' AS payment_method,
    'pi_' || i AS stripe_payment_intent_id, now() AS booked_at, now() AS completed_at, now() AS paid_at, now() AS updated_at
FROM range({ROWS}) AS t(i)
"""


def main() -> None:
    """Print both rates and the ratio."""
    folder = Path(tempfile.mkdtemp(prefix="leii-bench-"))
    try:
        workspace, policy = new_workspace(folder / "home")
        with open_landing(workspace) as landing, workspace.connect() as con:
            _land(landing, con, "account", _ACCOUNTS)
            register_people(workspace, landing, policy)
            batch = _land(landing, con, "booking", _BOOKINGS)
            register_people(workspace, landing, policy)
            _compare(workspace, landing, batch)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _land(landing: Landing, con: duckdb.DuckDBPyConnection, table: str, sql: str) -> Batch:
    columns = load_policy().table("app_db", table).columns
    there = {row[0] for row in con.execute(f"DESCRIBE {sql}").fetchall()}
    missing = "".join(f', NULL AS "{name}"' for name in columns if name not in there)
    batch = landing.write("app_db", table, "rows", f"SELECT *{missing} FROM ({sql})", {}, con=con)
    assert batch is not None
    return batch


def _compare(workspace: Workspace, landing: Landing, batch: Batch) -> None:
    policy = load_policy()
    file = workspace.home.warehouse_file(PURPOSE)

    def pseudonymise() -> None:
        file.unlink(missing_ok=True)
        with workspace.connect() as con:
            prepare_session(con, workspace, PURPOSE)
            with open_vault(con, workspace, read_only=True), open_purpose(con, workspace, PURPOSE):
                create_tables(con, policy, PURPOSE)
                take_batch(con, landing, policy, policy.table("app_db", "booking"), PURPOSE, batch)

    def copy() -> None:
        plain = workspace.home.root / "plain.duckdb"
        plain.unlink(missing_ok=True)
        key = workspace.keyring.purpose_key(PURPOSE, "warehouse")
        with workspace.connect() as con, attached(con, plain, "plain", key):
            con.execute(f"CREATE TABLE plain.booking AS FROM {landing.relation_sql(con, batch)}")

    result = compare(ROWS, {"pseudonymise": pseudonymise, "plain copy": copy})
    print(f"bookings into purpose {PURPOSE}, {ROWS:,} rows (and 200,000 accounts), both files encrypted")
    print("\n".join(result.lines()))
    print(f"  time against the plain copy: {1 / result.ratio('pseudonymise', 'plain copy'):.2f} times (aim: at most 4)")


if __name__ == "__main__":
    main()
