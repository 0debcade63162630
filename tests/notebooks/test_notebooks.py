"""Every notebook runs from end to end on published copies, offline."""

import subprocess
import sys
from pathlib import Path

import pytest

from pseudonymisation.policy.reading import load_policy
from tests.browser.published_town import PublishedTown, published_town

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted(path.relative_to(ROOT) for path in (ROOT / "notebooks").glob("*/*.py"))


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> PublishedTown:
    return published_town(tmp_path_factory.getbasetemp() / "published-town")


def test_each_purpose_has_a_notebook() -> None:
    assert {path.parts[1] for path in NOTEBOOKS} >= set(load_policy().purposes)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=str)
def test_a_notebook_runs_as_a_script(notebook: Path, town: PublishedTown, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / notebook)],
        env=town.environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=str)
def test_a_notebook_opens_its_own_purpose_and_no_other(notebook: Path) -> None:
    text = (ROOT / notebook).read_text()
    assert f'open_published_copy("{notebook.parts[1]}")' in text
    assert text.count("open_published_copy(") == 1


def test_marimo_finds_nothing_to_say() -> None:
    command = [str(Path(sys.executable).with_name("marimo")), "check", "--strict", "notebooks"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
