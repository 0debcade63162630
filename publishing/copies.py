"""Published copies: a purpose's public marts in a fresh file of their own, swapped in while readers read on.

Copying is also compaction: what was deleted in the warehouse is not in the copy, not even as bytes, and the version
before is removed in the same step, unless a reader of another process has it open. Marts that are published once and
then stand are taken over from it (publishing/editions.py), and so are noisy counts (publishing/private_counts).
"""

import fcntl
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson

from pseudonymisation.policy.model import Purpose
from pseudonymisation.policy.private_counts import PrivateCounts
from pseudonymisation.policy.reading import load_policy
from publishing.editions import edition_key, standing_copy, statement_of, with_standing
from publishing.private_counts import releasing
from storage import Home, LeiiError, Workspace, attach, attached, compact_copy, count, opens, replace_durably
from storage.durable import fsync_folder

CURRENT = "current.duckdb"
MARTS = "marts"
LOOK_AGAIN_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class PublishedCopy:
    """One published version: its file, the rows of each table by name, and what was not published, a sentence each."""

    purpose: str
    version: str
    path: Path
    tables: Mapping[str, int]
    notes: tuple[str, ...] = ()

    @property
    def row_count(self) -> int:
        return sum(self.tables.values())


def public_marts(manifest: Path, purpose: str) -> list[str]:
    """Names of the tables that dbt's manifest declares public in the purpose's group. Raises LeiiError for none."""
    return list(_public_nodes(manifest, purpose))


def _public_nodes(manifest: Path, purpose: str) -> dict[str, Mapping[str, Any]]:
    """The public marts as dbt's manifest has them, by the name of the table."""
    if not manifest.exists():
        raise LeiiError(f"no dbt manifest at {manifest}: run `leii run` first")
    nodes = orjson.loads(manifest.read_bytes())["nodes"].values()
    found = {_table(node): node for node in nodes if _is_public_mart(node, purpose)}
    if not found:
        raise LeiiError(f"{purpose} has no public model in schema {MARTS}: there is nothing to publish")
    return dict(sorted(found.items()))


def publish_purpose(
    workspace: Workspace, purpose: str, manifest: Path, *, private_counts: PrivateCounts | None = None
) -> PublishedCopy:
    """Copy the purpose's public marts into a new version, make it the current one, and remove those before it.

    `private_counts`: noisy counts that are to be released with market_trends; those that have been stand without it.

    A version that a reader has open is left for `remove_replaced`: an erasure waits for it, since its bytes are still there.
    The purpose's warehouse must not be open for writing. Raises LeiiError, and leaves the current version as it is,
    when a public mart has not been built.
    """
    purposes = load_policy().purposes
    if purpose not in purposes:
        raise LeiiError(f"no purpose {purpose!r}: the policy has {', '.join(purposes)}")
    marts = _public_nodes(manifest, purpose)
    folder = workspace.home.published_folder(purpose)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    version = _next_version(folder, workspace.now)
    final = folder / f"{version}.duckdb"
    temporary = folder / f".{version}.{os.getpid()}.new"
    _remove(folder.glob(".*.new*"))
    counts, notes = _write(workspace, purposes[purpose], marts, temporary, version, private_counts)
    replace_durably(temporary, final)
    _swap(folder, final)
    remove_replaced(workspace.home, purpose)
    return PublishedCopy(purpose=purpose, version=version, path=final, tables=counts, notes=notes)


def current_version(home: Home, purpose: str) -> str | None:
    """The name of the version that readers get now; None before the first."""
    try:
        return (home.published_folder(purpose) / CURRENT).readlink().stem
    except OSError:
        return None


def move_published(workspace: Workspace, purpose: str, key: bytes) -> None:
    """Make the current version anew under another key and a name of its own; one that the key opens stays. For rotation."""
    folder, version = workspace.home.published_folder(purpose), current_version(workspace.home, purpose)
    if version is None:
        return
    current, next_version = folder / f"{version}.duckdb", _next_version(folder, workspace.now)
    with workspace.connect() as con:
        if not opens(con, current, key):
            final = folder / f"{next_version}.duckdb"
            compact_copy(con, current, workspace.keyring.purpose_key(purpose, "published"), final, key)
            with attached(con, final, "copy", key):
                con.execute("UPDATE copy.main.about SET version = ?", [next_version])
            _swap(folder, final)
    remove_replaced(workspace.home, purpose)


def remove_replaced(home: Home, purpose: str, *, wait_seconds: float = 0.0) -> list[str]:
    """Remove the versions before the current one; returns those that a reader of another process still has open.

    Waits for readers that are about to let go, `wait_seconds` at most.
    """
    folder = home.published_folder(purpose)
    ends = time.monotonic() + wait_seconds
    while True:
        current = current_version(home, purpose)
        replaced = [path for path in folder.glob("*.duckdb") if path.name != CURRENT and path.stem != current]
        held = [path for path in replaced if _is_open_elsewhere(path)]
        _remove(path for path in replaced if path not in held)
        if not held or time.monotonic() >= ends:
            return sorted(path.stem for path in held)
        time.sleep(LOOK_AGAIN_SECONDS)


def _is_open_elsewhere(path: Path) -> bool:
    """DuckDB holds a read lock on every file that it has open for reading."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _write(
    workspace: Workspace,
    purpose: Purpose,
    marts: Mapping[str, Mapping[str, Any]],
    path: Path,
    version: str,
    private_counts: PrivateCounts | None,
) -> tuple[dict[str, int], tuple[str, ...]]:
    home, keys = workspace.home, workspace.keyring
    with workspace.connect() as con:
        source = home.warehouse_file(purpose.name)
        attach(con, source, "warehouse", keys.purpose_key(purpose.name, "warehouse"), read_only=True)
        attach(con, path, "copy", keys.purpose_key(purpose.name, "published"))
        con.execute(f"CREATE SCHEMA copy.{MARTS}")
        current = home.published_folder(purpose.name) / CURRENT
        made = {name: sql for name, node in marts.items() if (sql := statement_of(node, marts)) is not None}
        with standing_copy(con, current, keys.purpose_key(purpose.name, "published"), purpose) as standing:
            counts = {}
            for name in sorted(marts, key=made.__contains__):
                select, columns = _select(con, purpose.name, name, made.get(name))
                key = edition_key(marts[name])
                if key is not None and standing.get(name) == columns:
                    select = with_standing(select, name, key, purpose, workspace.now)
                counts[name] = count(con, f'CREATE TABLE copy.{MARTS}."{name}" AS {select}')
        _describe(con, purpose, workspace.now, version)
        notes: tuple[str, ...] = ()
        if purpose.name == releasing.PURPOSE:
            # The last thing that is filled: what was paid for is lost if anything fails after it.
            filled = releasing.fill_private_counts(con, workspace, purpose, private_counts, current)
            counts, notes = counts | filled.tables, filled.notes
        con.execute("CHECKPOINT copy")
        con.execute("DETACH copy")
        con.execute("DETACH warehouse")
    return counts, notes


def _select(
    con: duckdb.DuckDBPyConnection, purpose: str, name: str, statement: str | None = None
) -> tuple[str, list[tuple[str, str]]]:
    """The SELECT that a published table is made by, from the warehouse or by a statement of its own, and its columns."""
    columns = con.execute(
        "SELECT column_name, data_type FROM duckdb_columns() "
        "WHERE database_name = 'warehouse' AND schema_name = ? AND table_name = ? ORDER BY column_index",
        [MARTS, name],
    ).fetchall()
    if not columns:
        raise LeiiError(f"{purpose}: {MARTS}.{name} has not been built, so nothing of {purpose} is published")
    if statement is not None:
        typed = ", ".join(f'CAST("{column}" AS {type_}) AS "{column}"' for column, type_ in columns)
        return f"SELECT {typed} FROM ({statement})", columns
    selected = ", ".join(_without_enum(purpose, name, column, type_) for column, type_ in columns)
    return f'SELECT {selected} FROM warehouse.{MARTS}."{name}"', columns


def _without_enum(purpose: str, table: str, column: str, type_: str) -> str:
    """An ENUM keeps the values that no row has any more, so none is published."""
    if type_.startswith("ENUM(") and type_.endswith(")"):
        return f'CAST("{column}" AS VARCHAR) AS "{column}"'
    if "ENUM(" in type_:
        raise LeiiError(
            f"{purpose}: {MARTS}.{table}.{column} holds an ENUM, which keeps deleted values: cast it to VARCHAR"
        )
    return f'"{column}"'


def _describe(con: duckdb.DuckDBPyConnection, purpose: Purpose, built_at: datetime, version: str) -> None:
    con.execute(
        """
        CREATE TABLE copy.main.about AS
        SELECT ?::TIMESTAMPTZ AS built_at, ? AS version, ? AS purpose, ? AS title, ?::VARCHAR[] AS readers,
               ?::INTEGER AS retention_days, ?::INTEGER AS min_customers, ?::INTEGER AS min_providers
        """,
        [
            built_at,
            version,
            purpose.name,
            purpose.title,
            list(purpose.readers),
            purpose.retention_days,
            purpose.min_customers,
            purpose.min_providers,
        ],
    )


def _next_version(folder: Path, now: datetime) -> str:
    """A name that no version here has: a reader takes an equal name for the same file."""
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    taken = [int(path.stem.removeprefix(f"{stamp}-")) for path in folder.glob(f"{stamp}-*.duckdb")]
    return f"{stamp}-{max(taken, default=0) + 1}"


def _swap(folder: Path, final: Path) -> None:
    link = folder / f".{CURRENT}.{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(final.name)
    os.replace(link, folder / CURRENT)
    fsync_folder(folder)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _is_public_mart(node: Mapping[str, Any], purpose: str) -> bool:
    config = node.get("config", {})
    group = config.get("group") or node.get("group")
    access = config.get("access") or node.get("access")
    return node["resource_type"] == "model" and node["schema"] == MARTS and group == purpose and access == "public"


def _table(node: Mapping[str, Any]) -> str:
    return str(node.get("alias") or node["name"])
