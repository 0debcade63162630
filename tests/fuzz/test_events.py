"""Broken event lines and files: no crash, no hang, nothing good lost, each bad one accounted for."""

import gzip
import random
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.events import EventsPull, pull_events
from ingestion.landing import open_landing
from ingestion.quarantine import Quarantine
from pseudonymisation.policy.reading import load_policy
from storage import Home, Workspace
from tests.fuzz.broken import break_line
from tests.fuzz.events import check_accounts, write_broken_files
from tests.fuzz.loading import load_for
from tests.ingestion.conftest import NOW
from tests.ingestion.event_lines import WANTED, as_line, event, landed_events

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


def pull(workspace: Workspace, root: Path) -> EventsPull:
    with open_landing(workspace) as landing:
        return pull_events(workspace, landing, root=str(root), wanted=WANTED)


def play(workspace: Workspace, root: Path, seed: int, inputs: int, purposes: Iterable[str]) -> None:
    planted = write_broken_files(root, seed, inputs)
    print(f"{planted.inputs} broken lines and files")
    done = pull(workspace, root)
    landed = [row["message_id"] for row in landed_events(workspace)]
    rows = Quarantine(workspace).list().to_pylist()
    check_accounts(root, planted, done, landed, [(row["position"], row["line"]) for row in rows])
    assert pull(workspace, root).lines == 0
    load_for(workspace, purposes)


@pytest.mark.slow
def test_broken_lines_and_files_are_accounted_for(home: Workspace, tmp_path: Path) -> None:
    play(home, tmp_path / "events", seed=1, inputs=400, purposes=["fraud"])


@pytest.mark.endurance
@pytest.mark.parametrize("seed", range(2, 6))
def test_thousands_of_broken_lines_and_files_are_accounted_for(home: Workspace, tmp_path: Path, seed: int) -> None:
    play(home, tmp_path / "events", seed=seed, inputs=1_500, purposes=load_policy().purposes)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=15)
@given(
    lines=st.lists(
        st.binary(max_size=60)
        | st.dictionaries(st.sampled_from([*event("x"), "other"]), JSON, max_size=6).map(as_line)
        | st.integers().map(lambda seed: break_line(random.Random(seed), event(f"h{seed}"))),
        min_size=1,
        max_size=60,
    )
)
def test_any_lines_between_good_ones_leave_those_whole(workspace: Workspace, lines: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.root.mkdir()
        home.extensions.symlink_to(workspace.home.extensions)
        own = Workspace(home=home, keyring=workspace.keyring, now=NOW)
        file = Path(folder) / "events" / "dt=2026-11-10" / "a.jsonl.gz"
        file.parent.mkdir(parents=True)
        flat = [line.replace(b"\n", b" ") for line in lines]
        file.write_bytes(gzip.compress(b"\n".join([as_line(event("first")), *flat, as_line(event("last"))])))
        done = pull(own, file.parents[1])
        assert done.lines == len(lines) + 2
        assert {"first", "last"} <= {row["message_id"] for row in landed_events(own)}
        kept = Quarantine(own).list().num_rows
        blank = sum(not line.rstrip(b"\r").strip(b" \t") for line in flat)
        assert done.landed + done.duplicates + done.refused_without_consent + kept + blank == done.lines
