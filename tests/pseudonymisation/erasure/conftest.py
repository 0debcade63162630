"""A real PostgreSQL beside the little market: what the app knows, and the requests that people made there."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from demo.postgres import DemoPostgres, running_postgres
from pseudonymisation.erasure import (
    ErasurePreparation,
    ErasureResult,
    Receipt,
    finish_erasures,
    prepare_erasures,
    receipts,
)
from pseudonymisation.notices.making import make_erasure_notices
from publishing.copies import CURRENT
from storage import compact_copy
from tests.pseudonymisation.conftest import NOON, Market, account, account_id, booking


@pytest.fixture(scope="session")
def postgres() -> Iterator[DemoPostgres]:
    """Not below pytest's own folder, which another session of pytest closes to the server's user."""
    with tempfile.TemporaryDirectory(prefix="leii-postgres-") as folder, running_postgres(Path(folder)) as server:
        yield server


class Town:
    """The market and the app's database together: what is put into one is landed from the other."""

    def __init__(self, market: Market, postgres: DemoPostgres) -> None:
        self.market = market
        self.dsn = postgres.pipeline_dsn
        self._admin_dsn = postgres.admin_dsn
        self._requests = 0
        self.sql("truncate app.account, app.service_category, app.privacy_request, app.account_ban cascade")
        self.sql("insert into app.service_category values (1, 'cleaning', 'Renhold', 'Cleaning')")

    def sql(self, statement: str, parameters: list[Any] | None = None) -> None:
        with psycopg.connect(self._admin_dsn) as connection:
            connection.execute(statement, parameters)

    def put(self, table: str, *rows: dict[str, Any]) -> None:
        for row in rows:
            names = ", ".join(row)
            self.sql(f"insert into app.{table} ({names}) values ({', '.join(['%s'] * len(row))})", list(row.values()))
        self.market.land(table, *rows)

    def people(self, *numbers: int) -> None:
        self.put("account", *(account(number) for number in numbers))

    def book(self, number: int, customer: int, provider: int, **columns: Any) -> None:
        self.put("booking", booking(number, customer, provider, **columns))

    def ask(self, number: int, *, verified: bool = True, withdrawn: bool = False) -> int:
        self._requests += 1
        self.sql(
            "insert into app.privacy_request values (%s, %s, 'erasure', 'profile', %s, %s, %s, %s)",
            [self._requests, account_id(number), NOON if verified else None, NOON, NOON if withdrawn else None, NOON],
        )
        return self._requests

    def forget_account_in_app(self, number: int) -> None:
        self.sql("delete from app.account where account_id = %s", [account_id(number)])

    def prepare(self) -> ErasurePreparation:
        prepared = prepare_erasures(self.market.workspace, self.market.policy, self.dsn)
        make_erasure_notices(self.market.workspace, self.market.policy, self.dsn)
        return prepared

    def publish(self) -> None:
        """A copy of each warehouse under the readers' key; what the models make of it is not the matter here."""
        home, ring = self.market.workspace.home, self.market.workspace.keyring
        with self.market.workspace.connect() as con:
            for purpose in self.market.policy.purposes:
                source_key, key = ring.purpose_key(purpose, "warehouse"), ring.purpose_key(purpose, "published")
                copy = home.published_folder(purpose) / "1.duckdb"
                compact_copy(con, home.warehouse_file(purpose), source_key, copy, key)
                current = copy.with_name(CURRENT)
                current.unlink(missing_ok=True)
                current.symlink_to(copy.name)

    def finish(self) -> ErasureResult:
        return finish_erasures(self.market.workspace, self.market.policy)

    def erase(self) -> ErasureResult:
        self.prepare()
        self.publish()
        return self.finish()

    def receipt(self, request: int) -> Receipt:
        return next(r for r in receipts(self.market.workspace) if r.privacy_request_id == request)

    def later(self, **delta: float) -> None:
        self.market.workspace = replace(self.market.workspace, now=self.market.workspace.now + timedelta(**delta))

    def everything(self) -> str:
        """Every stored value of every purpose, as one text."""
        policy = self.market.policy
        return repr([self.market.rows(p, t.stored_name) for p in policy.purposes for t in policy.tables_of(p)])


@pytest.fixture
def town(market: Market, postgres: DemoPostgres) -> Town:
    return Town(market, postgres)


def certificate_files(home: Path) -> list[Path]:
    return sorted((home / "certificates").glob("0*.json"))


def days_before_noon(days: float) -> datetime:
    return NOON - timedelta(days=days)
