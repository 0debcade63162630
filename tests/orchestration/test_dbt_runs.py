"""dbt's own process: what it writes is whole to whoever reads it meanwhile."""

import json
from collections.abc import Iterator

import pytest

from orchestration.dbt_runs import begin_parsing, end_parsing, manifest_file
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
