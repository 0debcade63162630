"""dbt's own process: what it writes is whole to whoever reads it meanwhile, and what it has parsed is not parsed again."""

import json
from collections.abc import Iterator

import pytest

from orchestration.dbt_runs import PARSE_STATE, begin_parsing, end_parsing, manifest_file
from storage import Workspace


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    yield
    end_parsing()


@pytest.mark.slow
def test_a_manifest_that_is_written_anew_is_whole_to_its_readers(workspace: Workspace) -> None:
    manifest = manifest_file(workspace.home)
    assert begin_parsing(workspace.home).result()["ok"]
    before, nodes = manifest.stat().st_ino, len(json.loads(manifest.read_bytes())["nodes"])
    end_parsing()
    answer = begin_parsing(workspace.home)
    while not answer.done():
        assert len(json.loads(manifest.read_bytes())["nodes"]) == nodes
    assert answer.result()["ok"]
    assert manifest.stat().st_ino != before, "the file of before was written over, which a reader sees half done"
    assert {path.name for path in manifest.parent.glob("manifest*")} == {manifest.name}


@pytest.mark.slow
def test_a_new_home_begins_with_what_the_checkout_was_parsed_to(
    workspace: Workspace, workspace_elsewhere: Workspace
) -> None:
    assert begin_parsing(workspace.home).result()["ok"]
    end_parsing()
    state = manifest_file(workspace_elsewhere.home).with_name(PARSE_STATE)
    answer = begin_parsing(workspace_elsewhere.home)
    assert state.exists(), "nothing was there before dbt began"
    assert answer.result()["ok"]
    assert _files_parsed(workspace_elsewhere) == 0
    assert _nodes(workspace_elsewhere) == _nodes(workspace)


@pytest.mark.slow
def test_a_parse_state_that_is_damaged_is_not_used(workspace: Workspace, workspace_elsewhere: Workspace) -> None:
    state = manifest_file(workspace.home).with_name(PARSE_STATE)
    state.parent.mkdir(parents=True)
    state.write_bytes(b"\x81\xa5nodes")
    assert begin_parsing(workspace.home).result()["ok"]
    assert _files_parsed(workspace) > 100
    assert begin_parsing(workspace_elsewhere.home).result()["ok"]
    assert _nodes(workspace) == _nodes(workspace_elsewhere)


def _files_parsed(workspace: Workspace) -> int:
    """Of all the project's files, those that dbt could not take from an earlier parse."""
    told = json.loads(manifest_file(workspace.home).with_name("perf_info.json").read_bytes())
    return int(told["parsed_path_count"])


def _nodes(workspace: Workspace) -> dict[str, object]:
    nodes: dict[str, dict[str, object]] = json.loads(manifest_file(workspace.home).read_bytes())["nodes"]
    return {name: {key: value for key, value in node.items() if key != "created_at"} for name, node in nodes.items()}
