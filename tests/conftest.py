"""How the tests are spread: a file's tests run in one process, and so do files that share what is costly to make."""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

TOGETHER = {
    "tests/orchestration/test_run.py": "town",
    "tests/orchestration/test_coverage_check.py": "town",
    "tests/orchestration/test_rotating.py": "town",
    "tests/browser/test_dashboard.py": "browser",
    "tests/browser/test_notebook.py": "browser",
    "tests/browser/test_read_during_an_erasure.py": "browser",
    "tests/integration/test_one_pass.py": "passes",
    "tests/integration/test_passes_after_the_first.py": "passes",
}


class FilesTogether(LoadScopeScheduling):  # type: ignore[misc]
    """By file, or by the name that TOGETHER gives several. xdist's own groups are told by a node id that pytest 9.2 keeps as it was."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        return TOGETHER.get(file, file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FilesTogether:
    return FilesTogether(config, log)
