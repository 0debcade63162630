import subprocess
import sys
from pathlib import Path

import pytest

from demo.postgres import DemoPostgres
from tests.ingestion.app_db_world import FILL, execute

ROOT = Path(__file__).parents[2]


def survived(folder: Path, server: DemoPostgres, first: int, step: int, *options: str) -> int:
    """How many kills left landing such that, in the end, it gave exactly the source."""
    execute(server.admin_dsn, *FILL)
    (folder / "extensions").mkdir()
    arguments = [str(folder), server.admin_dsn, str(first), str(step), *options]
    run = subprocess.run(
        [sys.executable, "-m", "tests.ingestion.app_db_killed", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return int(run.stdout.split()[-1])


def test_a_pull_killed_at_some_lines_and_run_again_gives_the_source(tmp_path: Path, app_db: DemoPostgres) -> None:
    assert survived(tmp_path, app_db, first=97, step=331) >= 2


@pytest.mark.endurance
@pytest.mark.timeout(1200)
def test_a_pull_killed_at_many_lines_and_run_again_gives_the_source(tmp_path: Path, app_db: DemoPostgres) -> None:
    assert survived(tmp_path, app_db, first=11, step=61) >= 8
