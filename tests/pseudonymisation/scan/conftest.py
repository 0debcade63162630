"""Two homes that differ only in whom they know."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pseudonymisation.scan import Identifier, ScanReport, identifiers_of, scan_home
from storage import Home, KeyRing, Workspace
from storage.keyring import names_for
from tests.pseudonymisation.scan.planting import Plant, plant_all
from tests.pseudonymisation.scan.plants_raw import RAW_PLANTS
from tests.pseudonymisation.scan.plants_tables import TABLE_PLANTS

PLANTS: list[Plant] = RAW_PLANTS + TABLE_PLANTS


def workspace_at(root: Path) -> Workspace:
    root.mkdir(parents=True)
    keyring = KeyRing({name: secrets.token_bytes(32) for name in names_for(["matching", "fraud"])})
    return Workspace(home=Home(root), keyring=keyring, now=datetime(2026, 11, 15, 12, tzinfo=UTC))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return workspace_at(tmp_path / "home")


@dataclass(frozen=True, kw_only=True)
class Scanned:
    """The line of a value is its place in `values`, from 1; that of a plant, its place among the plants."""

    workspace: Workspace
    values: list[str]
    identifiers: list[Identifier]
    report: ScanReport


@pytest.fixture(scope="session")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Scanned:
    """A home with every plant, searched for all of their values."""
    workspace = workspace_at(tmp_path_factory.mktemp("planted") / "home")
    values = plant_all(PLANTS, workspace, first=100)
    identifiers = identifiers_of(values)
    return Scanned(
        workspace=workspace, values=values, identifiers=identifiers, report=scan_home(workspace, identifiers)
    )


@pytest.fixture(scope="session")
def innocent(tmp_path_factory: pytest.TempPathFactory, scanned: Scanned) -> ScanReport:
    """The same about other people, searched for the same values."""
    workspace = workspace_at(tmp_path_factory.mktemp("innocent") / "home")
    plant_all(PLANTS, workspace, first=500)
    return scan_home(workspace, scanned.identifiers)
