"""Dagster's definitions: they load, and say what is true of the pipeline."""

import os
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

import pytest
import yaml
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetKey,
    DagsterInstance,
    Definitions,
    SensorResult,
    SkipReason,
    build_sensor_context,
)
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from orchestration.assets.common import published_key, source_table_key, swept_key, warehouse_pool
from orchestration.assets.ingest import tables_by_source
from orchestration.assets.transform import UNIQUE_ID, _results
from orchestration.dbt_runs import DbtBuild, NodeResult
from orchestration.instance import open_instance, prepare_dagster_home
from pseudonymisation.policy.model import Policy
from storage import Home

STAGES = {"read", "pseudonymise", "erase", "transform", "train", "publish", "feedback"}

SNAPSHOT = Path(__file__).with_name("asset_graph.txt")
RENEWED_BY = "tests/orchestration/test_definitions.py -k graph_of_assets"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    root = tmp_path_factory.mktemp("definitions")
    before = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("LEII_")}
    (root / "leii.toml").touch()  # that of the working directory is somebody's own
    own = {"LEII_HOME": str(root), "LEII_CONFIG": str(root / "leii.toml")}
    os.environ.update(own)
    yield Home(root)
    for name in own:
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="module")
def definitions(home: Home) -> Definitions:
    from orchestration.definitions import build_definitions

    return build_definitions()


@pytest.fixture(scope="module")
def graph(definitions: Definitions) -> AssetGraph:
    return definitions.get_repository_def().asset_graph


def upstream(graph: AssetGraph, key: AssetKey) -> set[AssetKey]:
    return set(graph.get_ancestor_asset_keys(key))


def test_every_asset_has_the_group_of_its_stage(graph: AssetGraph) -> None:
    groups = {key.to_user_string(): graph.get(key).group_name for key in graph.get_all_asset_keys()}
    assert {key: group for key, group in groups.items() if group not in STAGES} == {}
    assert set(groups.values()) == STAGES


def test_the_graph_of_assets_is_the_one_that_was_agreed_on(graph: AssetGraph) -> None:
    """Each line is an asset, or an asset and one that it depends on. A change is to be seen and meant."""
    lines = []
    for key in sorted(graph.get_all_asset_keys()):
        parents = sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)
        lines += [key.to_user_string(), *(f"{key.to_user_string()} <- {parent}" for parent in parents)]
    if os.environ.get("RENEW_SNAPSHOTS") == "1":
        SNAPSHOT.write_text("\n".join(lines) + "\n")
    agreed = SNAPSHOT.read_text().splitlines()
    difference = list(unified_diff(agreed, lines, "agreed", "now", n=0, lineterm=""))
    assert not difference, "\n".join(
        ["the graph of assets has changed. If that is meant: RENEW_SNAPSHOTS=1 pytest " + RENEWED_BY, *difference]
    )


def test_every_asset_can_be_materialised(graph: AssetGraph) -> None:
    assert set(graph.get_all_asset_keys()) == set(graph.materializable_asset_keys)


def test_every_landed_table_and_every_purposes_table_is_an_asset(graph: AssetGraph, policy: Policy) -> None:
    keys = set(graph.get_all_asset_keys())
    landed = {AssetKey(["landing", source, t]) for source, tables in tables_by_source(policy).items() for t in tables}
    stored = {source_table_key(p, table.stored_name) for p in policy.purposes for table in policy.tables_of(p)}
    assert landed <= keys
    assert stored <= keys


def test_lineage_runs_from_the_sources_to_the_copy_and_never_across_purposes(graph: AssetGraph, policy: Policy) -> None:
    for purpose in policy.purposes:
        above = upstream(graph, published_key(purpose))
        assert any(key.path[:2] == [purpose, "src"] for key in above)
        assert any(key.path[:2] == [purpose, "marts"] for key in above)
        assert any(key.path[0] == "landing" for key in above)
        assert {key.path[0] for key in above} & set(policy.purposes) == {purpose}


def test_models_wait_for_the_sweep_of_their_purpose(graph: AssetGraph, policy: Policy) -> None:
    for key in graph.get_all_asset_keys():
        if key.path[0] in policy.purposes and key.path[1] in ("staging", "intermediate", "marts"):
            above = upstream(graph, key)
            reads = any(parent.path[1] == "src" for parent in above if parent.path[0] == key.path[0])
            assert not reads or swept_key(key.path[0]) in above, key


def test_certificates_come_after_every_copy_and_after_landing_is_empty(graph: AssetGraph, policy: Policy) -> None:
    above = upstream(graph, AssetKey(["erasure", "certificates"]))
    assert {published_key(purpose) for purpose in policy.purposes} <= above
    assert AssetKey(["landing", "emptied"]) in above


def test_the_app_database_is_read_last(graph: AssetGraph, policy: Policy) -> None:
    first = tables_by_source(policy)["app_db"][0]
    above = upstream(graph, AssetKey(["landing", "app_db", first]))
    assert {key.path[1] for key in above} == {"events", "stripe"}


def test_the_check_at_the_border_blocks_for_every_table(
    definitions: Definitions, graph: AssetGraph, policy: Policy
) -> None:
    blocking = {
        key.asset_key
        for key in graph.asset_check_keys
        if key.name == "no_raw_identifier" and graph.get_check_spec(key).blocking
    }
    assert blocking == {source_table_key(p, t.stored_name) for p in policy.purposes for t in policy.tables_of(p)}


def test_a_file_has_one_writer(definitions: Definitions, policy: Policy) -> None:
    pools = {d.op.name: d.op.pool for d in definitions.get_repository_def().assets_defs_by_key.values() if d.op}
    for purpose in policy.purposes:
        writers = (f"pseudonymise_{purpose}", f"build_{purpose}", f"{purpose}__published")
        assert {pools[name] for name in writers} == {warehouse_pool(purpose)}
    assert {pools[name] for name in ("vault__people", "sweep_erased", "erasure__certificates")} == {"vault"}


def test_there_is_a_daily_schedule_and_sensors_for_files_and_requests(definitions: Definitions) -> None:
    repository = definitions.get_repository_def()
    assert [schedule.cron_schedule for schedule in repository.schedule_defs] == ["0 4 * * *"]
    assert {sensor.name for sensor in repository.sensor_defs} == {"new_event_files", "new_privacy_requests"}


def test_new_event_files_ask_for_one_run(
    definitions: Definitions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEII_EVENTS_ROOT", str(tmp_path))
    sensor = definitions.get_repository_def().get_sensor_def("new_event_files")
    with DagsterInstance.ephemeral() as instance:

        def look(cursor: str | None) -> object:
            return sensor(build_sensor_context(instance=instance, cursor=cursor))

        first = look(None)
        assert isinstance(first, SensorResult)
        assert isinstance(look(first.cursor), SkipReason)
        (tmp_path / "dt=2026-11-15").mkdir()
        (tmp_path / "dt=2026-11-15" / "a.jsonl.gz").write_bytes(b"")
        second = look(first.cursor)
        assert isinstance(second, SensorResult)
        assert second.run_requests
        assert len(second.run_requests) == 1
        assert isinstance(look(second.cursor), SkipReason)


def test_a_source_that_cannot_be_reached_is_a_reason_to_skip(
    definitions: Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEII_APP_DB_DSN", "postgresql://nobody:hemmelig4711@127.0.0.1:1/leii")
    sensor = definitions.get_repository_def().get_sensor_def("new_privacy_requests")
    with DagsterInstance.ephemeral() as instance:
        skipped = sensor(build_sensor_context(instance=instance))
    assert isinstance(skipped, SkipReason)
    assert "hemmelig4711" not in str(skipped.skip_message)


def test_dagster_keeps_no_output_and_tells_nobody(home: Home) -> None:
    config = yaml.safe_load((prepare_dagster_home(home) / "dagster.yaml").read_text())
    assert config["telemetry"] == {"enabled": False}
    assert config["nux"] == {"enabled": False}
    with open_instance(home) as instance:
        assert type(instance.compute_log_manager).__name__ == "NoOpComputeLogManager"
        assert type(instance.event_log_storage).__name__ == "KeptSqliteEventLogStorage"
        assert instance.event_log_storage.supports_global_concurrency_limits


def test_what_does_not_agree_in_the_books_is_a_check_that_warns_with_the_count(graph: AssetGraph) -> None:
    mart = AssetKey(["accounting", "marts", "fct_reconciliation_difference"])
    (key,) = [
        one for one in graph.asset_check_keys if one.asset_key == mart and one.name.startswith("nothing_to_look_at")
    ]
    spec = graph.get_check_spec(key)
    assert spec.metadata is not None
    assert not spec.blocking
    warned = NodeResult(unique_id=spec.metadata[UNIQUE_ID], status="warn", seconds=0.0, failures=8, message=None)
    (result,) = _results(graph.get(mart).assets_def, DbtBuild(purpose="accounting", nodes=(warned,)))
    assert isinstance(result, AssetCheckResult)
    assert (result.passed, result.severity) == (False, AssetCheckSeverity.WARN)
    assert result.metadata["failing_rows"].value == 8
