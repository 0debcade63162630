"""A warehouse with marts by hand, and the manifest that declares them public."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pseudonymisation.policy.reading import load_policy
from storage import Home, Workspace, attached
from storage.keyring import load_or_create

NOON = datetime(2026, 11, 15, 12, tzinfo=UTC)

Marts = Callable[..., Path]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    home = Home(tmp_path / "home")
    return Workspace(home=home, keyring=load_or_create(home.default_keyring_file, load_policy().purposes), now=NOON)


def in_warehouse(workspace: Workspace, purpose: str, *statements: str) -> None:
    """Run statements on a purpose's warehouse, attached as `w`."""
    key = workspace.keyring.purpose_key(purpose, "warehouse")
    with workspace.connect() as con, attached(con, workspace.home.warehouse_file(purpose), "w", key):
        con.execute("CREATE SCHEMA IF NOT EXISTS w.marts")
        for statement in statements:
            con.execute(statement)


def manifest_of(
    folder: Path, *models: tuple[str, str, str, str], about: Mapping[str, Mapping[str, Any]] | None = None
) -> Path:
    """A dbt manifest with these models: (purpose, schema, name, access); `about`: what more a node says, by name."""
    nodes = {
        f"model.leii.{name}": {
            "resource_type": "model",
            "name": name,
            "alias": name,
            "schema": schema,
            "config": {"group": purpose, "access": access},
            **(about or {}).get(name, {}),
        }
        for purpose, schema, name, access in models
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "manifest.json"
    path.write_text(json.dumps({"nodes": nodes}))
    return path
