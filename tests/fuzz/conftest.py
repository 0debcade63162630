"""A LEII_HOME with the keys of every purpose, and what the tests of ingestion share."""

from pathlib import Path

import pytest

from pseudonymisation.policy.reading import load_policy
from storage import Home, Workspace
from storage.keyring import load_or_create
from tests.ingestion.conftest import NOW, app_db, app_db_server, extensions, workspace

__all__ = ["app_db", "app_db_server", "extensions", "workspace"]


@pytest.fixture
def home(tmp_path: Path) -> Workspace:
    """As a run has it, with the keys of every purpose."""
    place = Home(tmp_path / "whole")
    return Workspace(home=place, keyring=load_or_create(place.default_keyring_file, load_policy().purposes), now=NOW)
