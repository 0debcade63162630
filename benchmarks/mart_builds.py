"""What building the marts takes, beside the same models' SQL run by DuckDB alone.

Every model of every purpose is dropped and built anew, two purposes at once: by a Dagster run of that stage's assets, with
dbt's tests; and by DuckDB from what dbt compiled then, with neither. Both are whole processes, from their start. Then a day
is played, and what its run takes to build is compared with what building everything took. Aims: below 60 s on the medium
world; inside 4 GiB on the large one and at most one and a half times DuckDB alone; a day's increment below a tenth.
"""

import os
import runpy
import statistics
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from graphlib import TopologicalSorter
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import orjson

from benchmarks.measure import Cost, cost_of
from benchmarks.running_world import RunningWorld, running_world
from demo.world.spec import world_spec
from orchestration import dbt_runs, steps
from orchestration.context import Run, active_run, open_run
from orchestration.report import read_last_report, save_report
from pseudonymisation.policy.reading import load_policy
from storage import Home, LeiiError, Workspace, attach, attached, exclusive_run
from storage.spilling import spill_folder

SCHEMAS = ("marts", "intermediate", "staging")


def main(size: str = "small", rounds: str = "3") -> None:
    """Print both ways' seconds and memory on the world of this size, and the increment's share."""
    with running_world(world_spec(size=size), rate_limit=0) as world:
        world.leii("run", "--json")
        measure(world, size, int(rounds))


def measure(world: RunningWorld, size: str, rounds: int) -> None:
    """The same on a world whose first run is done."""
    with_dagster, alone = [], []
    for _ in range(rounds):
        with_dagster.append(_build(world, "dagster"))
        alone.append(_build(world, "alone"))
    whole = _seconds_of_builds(world)
    world.play_on(1)
    world.leii("run", "--json")
    _print(size, with_dagster, alone)
    print(f"  a day's increment / everything, in dbt: {_seconds_of_builds(world) / whole:.2f} (aim: below 0.10)")


def _print(size: str, with_dagster: list[Cost], alone: list[Cost]) -> None:
    print(f"{size} world, every model of every purpose")
    for name, costs in (("Dagster and dbt", with_dagster), ("DuckDB alone", alone)):
        seconds, memory = (
            statistics.median(getattr(one, field) for one in costs) for field in ("seconds", "together_mib")
        )
        print(f"  {name:<16} {seconds:7.1f} s, {memory:,.0f} MiB together (median of {len(costs)})")
    ratio = statistics.median(ours.seconds / bare.seconds for ours, bare in zip(with_dagster, alone, strict=True))
    print(f"  Dagster and dbt / DuckDB alone: {ratio:.2f} (aim: at most 1.50 on the large world)")


def _build(world: RunningWorld, way: str) -> Cost:
    _drop_models(world.workspace)
    return cost_of([sys.executable, "-m", "benchmarks.mart_builds", "--way", way], world.environment)


def _seconds_of_builds(world: RunningWorld) -> float:
    report = read_last_report(world.home)
    assert report is not None
    return float(sum(stage["seconds"] for stage in report["stages"] if stage["name"] == "build"))


def _drop_models(workspace: Workspace) -> None:
    for purpose in load_policy().purposes:
        with workspace.connect() as con:
            key = workspace.keyring.purpose_key(purpose, "warehouse")
            with attached(con, workspace.home.warehouse_file(purpose), "warehouse", key):
                for schema in SCHEMAS:
                    con.execute(f"DROP SCHEMA IF EXISTS warehouse.{schema} CASCADE")


def _by_dagster(run: Run) -> None:
    """A Dagster run of the assets that are models, and no others."""
    from dagster import execute_job, reconstructable

    from orchestration.assets.common import TRANSFORM
    from orchestration.instance import open_instance
    from orchestration.running import QUIET, everything_job

    with exclusive_run(run.home), active_run(run):
        dbt_runs.begin_parsing(run.home)
        from orchestration.definitions import defs

        models = [spec.key for spec in defs.resolve_all_asset_specs() if spec.group_name == TRANSFORM]
        with (
            open_instance(run.home) as instance,
            execute_job(reconstructable(everything_job), instance, run_config=QUIET, asset_selection=models) as result,
        ):
            if not result.success or run.report.failed or not run.report.of("build"):
                raise LeiiError("the models were not built: " + "; ".join(one.error or "" for one in run.report.failed))
        save_report(run.home, run.report)


def _alone(run: Run) -> None:
    first = sorted(run.purposes, key=lambda purpose: -steps.BUILD_FIRST.get(purpose, 0))
    with ProcessPoolExecutor(2, get_context("fork")) as processes:
        for _ in processes.map(_build_alone, first):
            pass


def _build_alone(purpose: str) -> None:
    run = open_run()
    settings = _session_settings(run.home)
    with duckdb.connect(config=settings) as con:
        con.execute("LOAD httpfs")
        con.execute("SET TimeZone = 'UTC'")
        key = run.workspace.keyring.purpose_key(purpose, "warehouse")
        attach(con, run.home.warehouse_file(purpose), "warehouse", key)
        con.execute("USE warehouse")
        for schema in SCHEMAS:
            con.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        for node in _models_in_order(run, purpose):
            _materialise(con, node, run.home.dbt_folder(purpose) / "target" / "compiled")


def _session_settings(home: Home) -> dict[str, str | bool | int | float | list[str]]:
    """As dbt's profile has them."""
    return {
        "extension_directory": str(home.extensions),
        "autoinstall_known_extensions": "false",
        "memory_limit": "1200MB",
        "temp_directory": spill_folder(home),
        "temp_file_encryption": "true",
    }


def _models_in_order(run: Run, purpose: str) -> Iterator[Mapping[str, Any]]:
    nodes = orjson.loads(dbt_runs.manifest_file(run.home).read_bytes())["nodes"]
    models = {
        name: node
        for name, node in nodes.items()
        if node["resource_type"] == "model" and Path(node["original_file_path"]).parts[1] == purpose
    }
    graph = {name: [one for one in node["depends_on"]["nodes"] if one in models] for name, node in models.items()}
    for name in TopologicalSorter(graph).static_order():
        if models[name]["config"]["materialized"] != "ephemeral":
            yield models[name]


def _materialise(con: duckdb.DuckDBPyConnection, node: Mapping[str, Any], compiled: Path) -> None:
    target = f"{node['schema']}.{node['alias']}"
    if node["language"] == "python":
        model = runpy.run_path(str(dbt_runs.project_folder() / node["original_file_path"]))["model"]
        made = model(_Dbt(con, node), con)  # noqa: F841  # DuckDB finds it by its name
        con.execute(f"CREATE TABLE {target} AS FROM made")
        return
    sql = (compiled / node["package_name"] / node["original_file_path"]).read_text()
    kind = "VIEW" if node["config"]["materialized"] == "view" else "TABLE"
    con.execute(f"CREATE {kind} {target} AS {sql}")


class _Dbt:
    """What a Python model of dbt's is given, as far as ours ask for it."""

    def __init__(self, con: duckdb.DuckDBPyConnection, node: Mapping[str, Any]) -> None:
        self._con = con
        self.this = SimpleNamespace(schema=node["schema"], identifier=node["alias"])

    def config(self, **settings: Any) -> None:
        """What is set there is known from the manifest."""

    def ref(self, name: str) -> duckdb.DuckDBPyRelation:
        found = self._con.execute(
            "SELECT table_schema FROM information_schema.tables WHERE table_name = ?", [name]
        ).fetchone()
        assert found is not None, f"no model {name} has been built"
        return self._con.sql(f"FROM {found[0]}.{name}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--way"]:
        {"dagster": _by_dagster, "alone": _alone}[sys.argv[2]](open_run())
        os._exit(0)
    main(*sys.argv[1:])
