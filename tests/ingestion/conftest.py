"""A workspace of its own for every test."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage import Home, KeyRing, Workspace
from storage.keyring import names_for

NOW = datetime(2026, 11, 15, 6, 0, tzinfo=UTC)


def make_workspace(root: Path, now: datetime = NOW) -> Workspace:
    """The same keys every time, so that another process can open the same LEII_HOME."""
    secrets = {name: f"{name:->32}"[:32].encode() for name in names_for(["matching", "fraud"])}
    return Workspace(home=Home(root), keyring=KeyRing(secrets), now=now)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path / "home")


@pytest.fixture
def workspace_at(tmp_path: Path) -> Callable[[datetime], Workspace]:
    """The same LEII_HOME as `workspace`, at another time."""
    return lambda now: make_workspace(tmp_path / "home", now)
