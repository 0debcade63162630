"""Real dbt on a purpose's own encrypted file: empty source tables as the policy makes them, rows by the test, `dbt build`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb

from pseudonymisation.loading import open_purpose
from pseudonymisation.policy.model import Policy
from storage import Workspace
from storage.extensions import ensure_extensions
from storage.keyring import key_text
from storage.spilling import spill_folder
from tests.dbt_project.warm_dbt import WarmDbt

PROJECT = Path(__file__).parents[2] / "dbt_project"
NOW = datetime(2026, 11, 15, 6, 0, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    """How one `dbt build` ended. `statuses` has the status of every node by its name (model, data test, unit test).

    `output` is all that dbt said as it parsed the project and built the purpose.
    """

    succeeded: bool
    output: str
    statuses: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """Everything passed, and dbt warned of nothing."""
        return self.succeeded and "[WARNING]" not in self.output and set(self.statuses.values()) <= GOOD

    def failed(self) -> list[str]:
        return sorted(name for name, status in self.statuses.items() if status not in GOOD)


GOOD = {"success", "pass"}


@dataclass(frozen=True, kw_only=True)
class PurposeProject:
    """One purpose in a LEII_HOME of its own. No connection stays open between calls, since dbt needs the file."""

    purpose: str
    workspace: Workspace
    policy: Policy
    dbt: WarmDbt
    target: Path

    def execute(self, *statements: str) -> None:
        """Run SQL that writes; the purpose's file is the default database, so `src.app_db__booking` is its table."""
        with (
            self.workspace.connect() as con,
            open_purpose(con, self.workspace, self.purpose),
        ):
            con.execute("USE purpose")
            try:
                for statement in statements:
                    con.execute(statement)
            finally:
                con.execute("USE memory")

    def insert(self, table: str, *rows: Mapping[str, Any], batch: int = 1) -> None:
        """Add rows to `src.<table>`; a column left out is null, `_row_key` is random, `_batch_id` is `batch`.

        Any value that DuckDB can cast from its text will do: "2026-03-02 10:00:00+00" for a TIMESTAMPTZ.
        """
        with (
            self.workspace.connect() as con,
            open_purpose(con, self.workspace, self.purpose),
        ):
            for row in rows:
                full = {"_batch_id": batch, **row}
                key = "" if "_row_key" in row else ", _row_key"
                marks = ", ".join("?" for _ in full) + ("" if "_row_key" in row else ", uuid()")
                con.execute(
                    f"INSERT INTO purpose.src.{table} ({', '.join(full)}{key}) VALUES ({marks})",
                    [str(value) if isinstance(value, UUID) else value for value in full.values()],
                )

    def query(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a SELECT as dicts; names like `marts.fct_booking` are this purpose's."""
        with (
            self.workspace.connect() as con,
            open_purpose(con, self.workspace, self.purpose),
        ):
            con.execute("USE purpose")
            try:
                return dicts(con.execute(sql))
            finally:
                con.execute("USE memory")

    def table(self, name: str) -> list[tuple[Any, ...]]:
        """Every row of a table, in an order that depends on nothing but the rows: for comparing two builds."""
        return sorted(
            (tuple(row.values()) for row in self.query(f"SELECT * FROM {name}")),
            key=repr,
        )

    def tables(self, schemas: Iterable[str] = ("marts",)) -> dict[str, list[tuple[Any, ...]]]:
        """All tables of the schemas with all their rows."""
        wanted = ", ".join(f"'{schema}'" for schema in schemas)
        names = self.query(
            "SELECT schema_name || '.' || table_name AS name FROM duckdb_tables() "
            f"WHERE database_name = 'purpose' AND schema_name IN ({wanted}) ORDER BY ALL"
        )
        return {row["name"]: self.table(row["name"]) for row in names}

    def build(
        self,
        *arguments: str,
        project: Path = PROJECT,
        select: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
        now: datetime = NOW,
    ) -> BuildResult:
        """`dbt build` for this purpose, in a process of its own. It does not raise: look at the result."""
        chosen = select if select is not None else [f"path:models/{self.purpose}"]
        answer, said = self.dbt.build(
            project,
            self.target,
            ["--target", self.purpose, "--select", *chosen, *arguments],
            {**self._environment(now), **(environment or {})},
        )
        return BuildResult(
            succeeded=answer["ok"], output=said + (answer["error"] or ""), statuses=_statuses(answer["results"])
        )

    def manifest(self) -> dict[str, Any]:
        """dbt's manifest of the last build, with no other purpose's nodes."""
        found: dict[str, Any] = json.loads((self.target / "manifest.json").read_text())
        others = set(self.policy.purposes) - {self.purpose}
        return found | {"nodes": {key: node for key, node in found["nodes"].items() if node["fqn"][1] not in others}}

    def compiled(self, model: str) -> str:
        """The SQL that the last build ran for this model."""
        path = Path(self.manifest()["nodes"][f"model.leii.{model}"]["original_file_path"])
        return (self.target / "compiled" / "leii" / path).read_text()

    def _environment(self, now: datetime) -> dict[str, str]:
        home = self.workspace.home
        ensure_extensions(home.extensions)
        return {
            "LEII_DBT_PURPOSE": self.purpose,
            "LEII_DBT_FILE": str(home.warehouse_file(self.purpose)),
            "LEII_DBT_EXTENSIONS": str(home.extensions),
            "LEII_DBT_TEMPORARY": spill_folder(home),
            "DBT_ENV_SECRET_LEII_KEY": key_text(self.workspace.keyring.purpose_key(self.purpose, "warehouse")),
            "LEII_NOW": now.isoformat(),
        }


def dicts(result: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _statuses(results: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {
        ".".join(result["unique_id"].split(".")[2:]): result["status"]
        for result in results
        if not result["unique_id"].startswith("exposure.")  # there is nothing to build of one
    }
