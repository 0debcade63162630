"""How the tests are spread: a file's tests run in one process, and so do files that share what is costly to make."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

# How fast the machine is decides no test.
settings.register_profile("no_clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no_clock")

TOGETHER = {
    "tests/orchestration/test_run.py": "town",
    "tests/orchestration/test_coverage_check.py": "town",
    "tests/orchestration/test_rotating.py": "town",
    "tests/browser/test_dashboard.py": "browser",
    "tests/browser/test_notebook.py": "browser",
    "tests/browser/test_read_during_an_erasure.py": "browser",
    "tests/notebooks/test_notebooks.py": "browser",
    "tests/integration/test_one_pass.py": "passes",
    "tests/integration/test_passes_after_the_first.py": "passes",
    "tests/dbt_project/test_accounting.py": "dbt",
    "tests/dbt_project/test_fraud_flags.py": "dbt",
    "tests/dbt_project/test_fraud_model.py": "dbt",
    "tests/dbt_project/test_fraud_rules.py": "dbt",
    "tests/dbt_project/test_market_trends.py": "dbt",
    "tests/dbt_project/test_matching.py": "dbt",
    "tests/dbt_project/test_matching_ranking.py": "dbt",
    "tests/dbt_project/test_purpose_project.py": "dbt",
    "tests/dbt_project/test_sessions.py": "dbt",
}

LONGEST_FIRST = (
    "browser",
    "town",
    "tests/integration/test_nothing_comes_back.py",
    "passes",
    "dbt",
    "tests/pseudonymisation/erasure/test_run.py",
    "tests/pseudonymisation/access/test_run.py",
    "tests/pseudonymisation/test_notices.py",
    "tests/ingestion/test_app_db_killed.py",
    "tests/orchestration/test_definitions.py",
    "tests/demo/test_demo_cli.py",
)
"""Begun before all others: the last process at work should be left with something short. xdist would begin with many tests."""


def _scope(nodeid: str) -> str:
    file = nodeid.split("::")[0]
    return TOGETHER.get(file, file)


class FilesTogether(LoadScopeScheduling):  # type: ignore[misc]
    """By file, or by the name that TOGETHER gives several. xdist's own groups are told by a node id that pytest 9.2 keeps as it was."""

    def _split_scope(self, nodeid: str) -> str:
        return _scope(nodeid)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        ranks = {scope: rank for rank, scope in enumerate(LONGEST_FIRST)}
        items.sort(key=lambda item: ranks.get(_scope(item.nodeid), len(ranks)))


SHARED_FOLDER = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """A folder for `made_once`. Not under pytest's own, which is closed to the user that PostgreSQL runs as."""
    if not hasattr(config, "workerinput"):
        config.stash[SHARED_FOLDER] = Path(tempfile.mkdtemp(prefix="leii-tests-"))
        config.stash[SHARED_FOLDER].chmod(0o755)
    else:
        config.stash[SHARED_FOLDER] = Path(config.workerinput["shared_folder"])


def pytest_configure_node(node: WorkerController) -> None:
    node.workerinput["shared_folder"] = str(node.config.stash[SHARED_FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(config.stash[SHARED_FOLDER], ignore_errors=True)


@pytest.fixture(scope="session")
def shared_folder(pytestconfig: pytest.Config) -> Path:
    """The same for all processes of this session; gone after it."""
    return pytestconfig.stash[SHARED_FOLDER]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FilesTogether:
    config.option.loadscopereorder = False
    return FilesTogether(config, log)
