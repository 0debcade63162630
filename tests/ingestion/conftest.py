"""A workspace of its own for every test, and a real PostgreSQL with the app's schema."""

import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from demo.postgres import DemoPostgres, running_postgres
from storage import Home, KeyRing, Workspace
from storage.keyring import names_for

SCHEMA = Path(__file__).parents[2] / "demo" / "app_db.sql"
NOW = datetime(2026, 11, 15, 6, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def extensions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DuckDB's extensions, unpacked once for all tests of a process."""
    return tmp_path_factory.mktemp("extensions")


def make_workspace(root: Path, now: datetime = NOW) -> Workspace:
    """The same keys every time, so that another process can open the same LEII_HOME."""
    secrets = {name: f"{name:->32}"[:32].encode() for name in names_for(["matching", "fraud"])}
    return Workspace(home=Home(root), keyring=KeyRing(secrets), now=now)


@pytest.fixture
def workspace(tmp_path: Path, extensions: Path) -> Workspace:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "extensions").symlink_to(extensions)
    return make_workspace(tmp_path / "home")


@pytest.fixture
def workspace_at(tmp_path: Path) -> Callable[[datetime], Workspace]:
    """The same LEII_HOME as `workspace`, at another time."""
    return lambda now: make_workspace(tmp_path / "home", now)


@pytest.fixture(scope="session")
def app_db_server() -> Iterator[DemoPostgres]:
    """One real PostgreSQL for all tests of a process; not under pytest's folder, which another pytest closes to others."""
    with tempfile.TemporaryDirectory(prefix="leii-test-") as folder, running_postgres(Path(folder)) as server:
        yield server


@pytest.fixture
def app_db(app_db_server: DemoPostgres) -> DemoPostgres:
    """The server with schema `app` as the app team made it, empty."""
    with psycopg.connect(app_db_server.admin_dsn) as connection:
        connection.execute("drop schema app cascade")
        connection.execute(SCHEMA.read_bytes())
        for role in ("leii_reader", "leii_pipeline"):
            connection.execute(f"grant usage on schema app to {role}")
            connection.execute(f"grant select on all tables in schema app to {role}")
    return app_db_server
