"""A workspace of its own, and the town on which `leii run` has been run."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pseudonymisation.policy.model import Policy
from pseudonymisation.policy.reading import load_policy
from storage import Home, Workspace
from storage.keyring import load_or_create
from tests.integration.conftest import town

__all__ = ["town"]


@pytest.fixture(scope="session")
def policy() -> Policy:
    return load_policy()


@pytest.fixture
def workspace(tmp_path: Path, policy: Policy) -> Workspace:
    return _new_workspace(tmp_path / "home", policy)


@pytest.fixture
def workspace_elsewhere(tmp_path: Path, policy: Policy) -> Workspace:
    return _new_workspace(tmp_path / "elsewhere", policy)


def _new_workspace(root: Path, policy: Policy) -> Workspace:
    home = Home(root)
    keyring = load_or_create(home.default_keyring_file, policy.purposes)
    return Workspace(home=home, keyring=keyring, now=datetime(2026, 11, 15, 12, tzinfo=UTC))
