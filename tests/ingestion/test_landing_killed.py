import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def survived(folder: Path, first: int, step: int) -> int:
    """How many kills left nothing lost, nothing doubled and nothing lying about."""
    (folder / "extensions").mkdir()
    run = subprocess.run(
        [sys.executable, "-m", "tests.ingestion.landing_killed", str(folder), str(first), str(step)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return int(run.stdout.split()[-1])


def test_killed_at_some_lines_landing_loses_and_doubles_nothing(tmp_path: Path) -> None:
    assert survived(tmp_path, first=17, step=97) >= 3


@pytest.mark.endurance
@pytest.mark.timeout(900)
def test_killed_at_any_line_landing_loses_and_doubles_nothing(tmp_path: Path) -> None:
    assert survived(tmp_path, first=1, step=23) >= 20
