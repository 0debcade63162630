"""What a rotation of keys must have done to a LEII_HOME, computed in plain Python from what was there before."""

import hashlib
import hmac
import json
import uuid
from pathlib import Path
from typing import Any

from pseudonymisation.policy.model import Policy
from pseudonymisation.rotation import move_files, names_to_rotate, require_rotatable
from storage import Home, KeyRing, Workspace, attached
from storage.keyring import begin_rotation, end_rotation, load_keyring
from tests.pseudonymisation.conftest import NOON

Row = dict[str, Any]
Tables = dict[str, list[Row]]


def workspace_of(home: Path) -> Workspace:
    place = Home(home)
    return Workspace(home=place, keyring=load_keyring(str(place.default_keyring_file)), now=NOON)


def begin(home: Path, name: str) -> Workspace:
    """A rotation that is written down and has moved nothing."""
    workspace = workspace_of(home)
    require_rotatable(workspace, name)
    begin_rotation(workspace.home.default_keyring_file, names_to_rotate(workspace.keyring, name))
    return workspace_of(home)


def finish(home: Path, policy: Policy) -> Workspace:
    workspace = workspace_of(home)
    if workspace.keyring.pending:
        move_files(workspace, policy)
        end_rotation(workspace.home.default_keyring_file)
    return workspace_of(home)


def rotate(home: Path, policy: Policy, name: str) -> Workspace:
    begin(home, name)
    return finish(home, policy)


def purpose_tables(workspace: Workspace, purpose: str, keyring: KeyRing | None = None) -> Tables:
    key = (keyring or workspace.keyring).purpose_key(purpose, "warehouse")
    return _tables(workspace, workspace.home.warehouse_file(purpose), key, "src")


def vault_tables(workspace: Workspace) -> Tables:
    return _tables(workspace, workspace.home.vault_file, workspace.keyring.zone_key("vault"), "main")


def notices_tables(workspace: Workspace) -> Tables:
    return _tables(workspace, workspace.home.notices_file, workspace.keyring.zone_key("notices"), "main")


def held_tables(workspace: Workspace) -> Tables:
    return _tables(workspace, workspace.home.held_file, workspace.keyring.zone_key("held"), "main")


def next_layer(key: bytes, value: object) -> uuid.UUID:
    return uuid.UUID(hex=hmac.new(key, str(value).encode(), hashlib.sha256).hexdigest()[:32])


def rekeyed(tables: Tables, key: bytes, *, keep: tuple[str, ...] = ()) -> Tables:
    """Every UUID, but those of the columns to keep, keyed once more; and so within a held row's content."""
    return {name: in_order([_rekeyed_row(row, key, keep) for row in rows]) for name, rows in tables.items()}


def uuids_in(tables: Tables) -> set[str]:
    return {str(value) for rows in tables.values() for row in rows for value in row.values() if _is_uuid(value)}


def in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=repr)


def _rekeyed_row(row: Row, key: bytes, keep: tuple[str, ...]) -> Row:
    new: Row = {n: next_layer(key, v) if _is_uuid(v) and n not in keep else v for n, v in row.items()}
    if "content" in row:
        pseudonyms = {value for value in json.loads(row["content"]).values() if _is_uuid_text(value)}
        assert pseudonyms
        for old in pseudonyms:
            new["content"] = new["content"].replace(old, str(next_layer(key, old)))
    return new


def _is_uuid(value: object) -> bool:
    return isinstance(value, uuid.UUID)


def _is_uuid_text(value: object) -> bool:
    return isinstance(value, str) and len(value) == 36 and value.count("-") == 4


def _tables(workspace: Workspace, file: Path, key: bytes, schema: str) -> Tables:
    with workspace.connect() as con, attached(con, file, "d", key, read_only=True):
        names = con.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'd' AND schema_name = ? ORDER BY 1", [schema]
        ).fetchall()
        found: Tables = {}
        for (name,) in names:
            cursor = con.execute(f'SELECT * FROM d.{schema}."{name}"')
            columns = [column[0] for column in cursor.description or ()]
            found[name] = in_order([dict(zip(columns, row, strict=True)) for row in cursor.fetchall()])
    return found
