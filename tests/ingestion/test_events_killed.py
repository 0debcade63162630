import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def survived(folder: Path, first: int, step: int) -> int:
    """How many kills left every good event in landing and every broken line in quarantine once, after another pull."""
    (folder / "extensions").mkdir()
    run = subprocess.run(
        [sys.executable, "-m", "tests.ingestion.events_killed", str(folder), str(first), str(step)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return int(run.stdout.split()[-1])


def test_a_pull_of_events_killed_at_some_lines_loses_nothing(tmp_path: Path) -> None:
    assert survived(tmp_path, first=83, step=149) >= 2


@pytest.mark.endurance
@pytest.mark.timeout(1200)
def test_a_pull_of_events_killed_at_many_lines_loses_nothing(tmp_path: Path) -> None:
    assert survived(tmp_path, first=7, step=41) >= 6
