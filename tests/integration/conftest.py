"""A small generated town on real parts, and the `leii` command run on it as a user runs it."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from benchmarks.running_world import RunningWorld
from demo.loading import load_world
from demo.postgres import DemoPostgres, running_postgres
from demo.stripe_cli import StripeDouble, start_stripe_double
from demo.world.advance import advance
from demo.world.generate import generate_world
from demo.world.spec import world_spec
from pseudonymisation.policy.model import Policy
from pseudonymisation.policy.reading import load_policy
from storage import Home, Workspace, attached
from storage.keyring import load_keyring
from tests.made_once import copy_owned, made_once


@dataclass(frozen=True, kw_only=True)
class Town:
    """The world outside, and a LEII_HOME beside it."""

    world: Path
    postgres: DemoPostgres
    stripe: StripeDouble
    home: Home
    policy: Policy
    first_now: datetime | None = None
    first_receipts: Mapping[int, str] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(json.loads((self.world / "world.json").read_text())["now"], UTC)

    @property
    def workspace(self) -> Workspace:
        return Workspace(home=self.home, keyring=load_keyring(str(self.home.default_keyring_file)), now=self.now)

    @property
    def running(self) -> RunningWorld:
        """The same as the benchmarks and the other tests of whole runs have it."""
        return RunningWorld(folder=self.world.parent, server=self.postgres, stripe=self.stripe, stripe_is_limited=False)

    @property
    def environment(self) -> dict[str, str]:
        """What the command is told of this town."""
        return self.running.environment | {"LEII_HOME": str(self.home.root)}

    def leii(self, *arguments: str, home: Home | None = None) -> subprocess.CompletedProcess[str]:
        environment = self.environment | {"LEII_HOME": str((home or self.home).root)}
        command = [str(Path(sys.executable).with_name("leii")), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done

    def play_on(self, days: int) -> None:
        advance(self.world, days, self.postgres.admin_dsn)

    def app(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres.admin_dsn) as connection:
            return connection.execute(sql).fetchall()

    def query(self, purpose: str, sql: str, home: Home | None = None) -> list[tuple[Any, ...]]:
        """Ask a purpose's warehouse, attached as `purpose`."""
        home = home or self.home
        key = load_keyring(str(home.default_keyring_file)).purpose_key(purpose, "warehouse")
        file = home.warehouse_file(purpose)
        with self.workspace.connect() as con, attached(con, file, "purpose", key, read_only=True):
            return con.execute(sql).fetchall()

    def tables(self, purpose: str, *, schema: str | None = None) -> list[tuple[str, str, str, str]]:
        """(schema, table, column, type) of every stored column of a purpose."""
        where = "AND schema_name = 'src'" if schema == "src" else ""
        return self.query(
            purpose,
            "SELECT c.schema_name, c.table_name, c.column_name, c.data_type FROM duckdb_columns() AS c "
            "JOIN duckdb_tables() AS t USING (database_name, schema_name, table_name) "
            f"WHERE c.database_name = 'purpose' {where} ORDER BY ALL",
        )

    def truth(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.world / "truth" / f"{name}.jsonl").read_text().splitlines()]


SourceRows = dict[str, list[tuple[object, ...]]]


def source_rows(town: Town, purpose: str, home: Home | None = None) -> SourceRows:
    return {
        table.stored_name: sorted(
            town.query(purpose, f"SELECT * EXCLUDE (_batch_id) FROM purpose.src.{table.stored_name}", home), key=repr
        )
        for table in town.policy.tables_of(purpose)
    }


@pytest.fixture(scope="session")
def town(shared_folder: Path) -> Iterator[Town]:
    """One pass over a town of 150 accounts has been made. Another process that tests has a town of its own."""
    with copied_town(shared_folder) as town:
        receipts = dict(town.app("select privacy_request_id, state from app.privacy_receipt"))
        yield replace(town, first_now=town.now, first_receipts=receipts)


@contextmanager
def copied_town(shared_folder: Path) -> Iterator[Town]:
    """A copy of the town after its first run, which is made once; with servers of its own."""
    made = made_once(shared_folder / "town", make_town)
    with tempfile.TemporaryDirectory(prefix="leii-town-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user
        copy_owned(made, folder / "town")
        with running_town(folder / "town") as town:
            yield town


def make_town(folder: Path) -> None:
    generate_world(folder / "world", world_spec(seed=7, accounts=150, bookings=600, events=3000))
    with running_town(folder) as town:
        load_world(town.world, town.postgres.admin_dsn)
        town.leii("run")
    (folder / "postgres" / "port").unlink()  # each copy looks for a free one


@contextmanager
def running_town(folder: Path) -> Iterator[Town]:
    """A town whose world is in this folder, with its servers up."""
    with (
        running_postgres(folder / "postgres") as postgres,
        start_stripe_double(folder / "world" / "stripe", rate_limit=0) as stripe,
    ):
        yield Town(
            world=folder / "world", postgres=postgres, stripe=stripe, home=Home(folder / "home"), policy=load_policy()
        )
