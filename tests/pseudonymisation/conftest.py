"""A little market by hand, landed as ingestion lands it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from ingestion.landing import Landing, open_landing
from pseudonymisation.loading import PurposeLoad, load_purpose, register_people, takers
from pseudonymisation.policy.model import Policy
from pseudonymisation.policy.reading import load_policy
from storage import Home, Workspace, attached
from storage.keyring import load_or_create

ARROW_TYPES: dict[str, pa.DataType] = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "money": pa.decimal128(18, 2),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "list": pa.list_(pa.string()),
}
NOON = datetime(2026, 11, 15, 12, tzinfo=UTC)


def account_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


class Market:
    """Lands rows and loads them; `rows` reads a purpose's table as dictionaries."""

    def __init__(self, workspace: Workspace, policy: Policy) -> None:
        self.workspace = workspace
        self.policy = policy

    def land(self, table: str, *rows: dict[str, Any], kind: str = "rows") -> None:
        columns = self.policy.table("app_db", table).columns
        names = list(columns) if kind == "rows" else list(self.policy.table("app_db", table).key)
        arrow = pa.table(
            {name: pa.array([row.get(name) for row in rows], ARROW_TYPES[columns[name].type]) for name in names}
        )
        self._write("app_db", table, kind, arrow)

    def land_stripe(self, table: str, *objects: dict[str, Any], account: str | None = None) -> None:
        arrow = pa.table(
            {
                "id": pa.array([o["id"] for o in objects], pa.string()),
                "account": pa.array([account for _ in objects], pa.string()),
                "created": pa.array([o.get("created") for o in objects], pa.int64()),
                "deleted": pa.array([bool(o.get("deleted")) for o in objects], pa.bool_()),
                "object": pa.array([json.dumps(o) for o in objects], pa.string()),
            }
        )
        self._write("stripe", table, "rows", arrow)

    def land_stripe_keys(self, table: str, *ids: str) -> None:
        self._write("stripe", table, "keys", pa.table({"id": pa.array(ids, pa.string())}))

    def land_events(self, *events: dict[str, Any]) -> None:
        arrow = pa.table(
            {
                "message_id": pa.array([e["messageId"] for e in events], pa.string()),
                "received_at": pa.array(
                    [datetime.fromisoformat(e["receivedAt"]) for e in events], pa.timestamp("us", tz="UTC")
                ),
                "type": pa.array([e["type"] for e in events], pa.string()),
                "event": pa.array([e.get("event") for e in events], pa.string()),
                "user_id": pa.array([e.get("userId") for e in events], pa.string()),
                "anonymous_id": pa.array([e.get("anonymousId") for e in events], pa.string()),
                "payload": pa.array([json.dumps(e) for e in events], pa.string()),
            }
        )
        self._write("events", "event", "rows", arrow)

    def load(self) -> dict[str, PurposeLoad]:
        with open_landing(self.workspace) as landing:
            register_people(self.workspace, landing, self.policy)
            loads = {name: load_purpose(self.workspace, landing, self.policy, name) for name in self.policy.purposes}
            landing.remove_taken_by_all(takers(self.policy))
        return loads

    def rows(self, purpose: str, table: str) -> list[dict[str, Any]]:
        return self.query(purpose, f"SELECT * FROM purpose.src.{table} ORDER BY _row_key")

    def query(self, purpose: str, sql: str) -> list[dict[str, Any]]:
        key = self.workspace.keyring.purpose_key(purpose, "warehouse")
        with (
            self.workspace.connect() as con,
            attached(con, self.workspace.home.warehouse_file(purpose), "purpose", key, read_only=True),
        ):
            found: list[dict[str, Any]] = con.execute(sql).to_arrow_table().to_pylist()
            return found

    def vault(self, sql: str) -> list[tuple[Any, ...]]:
        with self.workspace.connect() as con:
            return self._vault(con, sql)

    def _vault(self, con: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
        key = self.workspace.keyring.zone_key("vault")
        with attached(con, self.workspace.home.vault_file, "vault", key, read_only=True):
            return con.execute(sql).fetchall()

    def _write(self, source: str, table: str, kind: str, arrow: pa.Table) -> None:
        with open_landing(self.workspace) as landing:
            self._landed(landing, source, table, kind, arrow)

    def _landed(self, landing: Landing, source: str, table: str, kind: str, arrow: pa.Table) -> None:
        landing.write(source, table, kind, arrow, {})


@pytest.fixture
def policy() -> Policy:
    return load_policy()


@pytest.fixture
def workspace(tmp_path: Path, policy: Policy) -> Workspace:
    home = Home(tmp_path / "home")
    return Workspace(home=home, keyring=load_or_create(home.default_keyring_file, policy.purposes), now=NOON)


@pytest.fixture
def market(workspace: Workspace, policy: Policy) -> Market:
    return Market(workspace, policy)


def account(number: int, **columns: Any) -> dict[str, Any]:
    """An account with every column that must be there; `columns` replace or add."""
    return {
        "account_id": account_id(number),
        "created_at": datetime(2026, 1, 5, 10, 11, 12, tzinfo=UTC),
        "updated_at": datetime(2026, 1, 5, 10, 11, 12, tzinfo=UTC),
        "full_name": f"Navn Navnesen {number}",
        "email": f"person{number}@example.no",
        "phone": f"+47 400 00 {number:03d}",
        "postal_code": "0150",
        "is_provider": False,
        "status": "active",
        **columns,
    }


def booking(number: int, customer: int, provider: int, **columns: Any) -> dict[str, Any]:
    """A completed and paid booking of one account with another."""
    return {
        "booking_id": number,
        "customer_id": account_id(customer),
        "provider_id": account_id(provider),
        "category_id": 1,
        "starts_at": datetime(2026, 6, 1, 9, 7, tzinfo=UTC),
        "ends_at": datetime(2026, 6, 1, 11, 7, tzinfo=UTC),
        "price_nok": 1234,
        "platform_fee_nok": 123,
        "status": "completed",
        "payment_method": "card",
        "booked_at": datetime(2026, 5, 30, 8, 3, 4, tzinfo=UTC),
        "completed_at": datetime(2026, 6, 1, 11, 10, tzinfo=UTC),
        "paid_at": datetime(2026, 6, 2, 6, 0, tzinfo=UTC),
        "updated_at": datetime(2026, 6, 2, 6, 0, tzinfo=UTC),
        **columns,
    }
