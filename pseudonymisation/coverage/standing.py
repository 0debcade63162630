"""What stands under an existing LEII_HOME: every table in every database, and every file, must be named by something."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pseudonymisation.coverage.declared import Exemptions
from pseudonymisation.coverage.models import Model
from pseudonymisation.policy.model import Policy
from storage import Home, LeiiError, Workspace, attached
from storage.contents import unknown_files

STORED_AS = {"table": "table", "incremental": "table", "view": "view"}
"""What a model is in the database, by how dbt builds it; whatever else it may be, it is not there."""

_RELATIONS = """
    SELECT schema_name || '.' || table_name, 'table' FROM duckdb_tables() WHERE database_name = 'standing' AND NOT internal
    UNION ALL
    SELECT schema_name || '.' || view_name, 'view' FROM duckdb_views() WHERE database_name = 'standing' AND NOT internal
    ORDER BY ALL
"""

Relation = tuple[str, str]
"""schema.table, and whether it is a table or a view."""


@dataclass(frozen=True, kw_only=True)
class Database:
    """One encrypted file and everything that may be in it."""

    place: str
    path: Path
    key: bytes
    named: frozenset[Relation]


def check_home(workspace: Workspace, policy: Policy, exemptions: Exemptions, models: Sequence[Model]) -> list[str]:
    """One sentence for each table that no rule and no model names, for each unknown file, and for what cannot be read."""
    problems = check_files(workspace.home, policy)
    with workspace.connect() as con:
        for database in _databases(workspace, policy, exemptions, models):
            problems.extend(_stray(con, database))
    return problems + _stray_in_register(workspace, exemptions)


def check_files(home: Home, policy: Policy) -> list[str]:
    """One sentence for each file of an unknown kind; needs no key."""
    return [
        f"{name}: a file of no kind that storage/contents.py names: remove it, or name it there"
        for name in unknown_files(home, policy.purposes)
    ]


def has_databases(home: Home) -> bool:
    return any(home.root.rglob("*.duckdb"))


def _databases(
    workspace: Workspace, policy: Policy, exemptions: Exemptions, models: Sequence[Model]
) -> Iterator[Database]:
    home, keys = workspace.home, workspace.keyring
    own = {zone: frozenset((name, "table") for name in tables) for zone, tables in exemptions.pipelines_own.items()}
    for purpose in policy.purposes:
        mine = [model for model in models if model.purpose == purpose]
        sources = {(f"src.{table.stored_name}", "table") for table in policy.tables_of(purpose)}
        built = {(model.relation, STORED_AS[model.materialized]) for model in mine if model.materialized in STORED_AS}
        public = {(model.relation, "table") for model in mine if model.is_public}
        yield Database(
            place=f"warehouse/{purpose}",
            path=home.warehouse_file(purpose),
            key=keys.purpose_key(purpose, "warehouse"),
            named=frozenset(sources | built) | own.get("warehouse", frozenset()),
        )
        for path in sorted(home.published_folder(purpose).glob("*.duckdb")):
            if not path.is_symlink():
                named = frozenset(public) | own.get("published", frozenset())
                key = keys.purpose_key(purpose, "published")
                yield Database(place=f"published/{purpose}", path=path, key=key, named=named)
    for zone, path in (("vault", home.vault_file), ("held", home.held_file), ("notices", home.notices_file)):
        yield Database(place=zone, path=path, key=keys.zone_key(zone), named=own.get(zone, frozenset()))


def _stray(con: duckdb.DuckDBPyConnection, database: Database) -> list[str]:
    if not database.path.exists():
        return []
    try:
        with attached(con, database.path, "standing", database.key, read_only=True):
            found: list[Relation] = con.execute(_RELATIONS).fetchall()
    except (LeiiError, duckdb.Error) as error:
        reason = str(error) if isinstance(error, LeiiError) else f"it cannot be read ({type(error).__name__})"
        return [f"{database.place}: what is in it is not known: {reason}"]
    return [
        f"{database.place}: {kind} {name} is named by no rule and no model: drop it, or name it"
        for name, kind in found
        if (name, kind) not in database.named
    ]


def _stray_in_register(workspace: Workspace, exemptions: Exemptions) -> list[str]:
    path = workspace.home.landing / "register.sqlite"
    if not path.exists():
        return []
    named = set(exemptions.pipelines_own.get("landing", {}))
    query = "select name from sqlite_master where type in ('table', 'view') and name not like 'sqlite_%' order by name"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as con:
            found = [f"main.{row[0]}" for row in con.execute(query)]
    except sqlite3.Error as error:
        return [f"landing: what is in its register is not known: it cannot be read ({type(error).__name__})"]
    return [f"landing: table {name} is named by no rule: drop it, or name it" for name in found if name not in named]
