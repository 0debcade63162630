"""dbt as a run has it: loaded once, the project parsed once for every purpose, and each build a process of its own."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestration.dbt_runs import PARSE_STATE, DbtServer

PATIENCE_SECONDS = 300


class WarmDbt:
    """A server of dbt's. It holds one parsed project at a time: the last that was built."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = DbtServer()
        self._parsed: Path | None = None
        self._said: dict[Path, str] = {}

    def build(
        self, project: Path, target: Path, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> tuple[dict[str, Any], str]:
        """The server's answer, and all that dbt said as it parsed the project (whole, the first time) and built it.

        What was compiled lies in `target`, and the manifest of the project too. Raises AssertionError if it cannot be parsed.
        """
        if self._parsed != project:
            self._parse(project)
        shutil.copy(self._state(project) / "manifest.json", target / "manifest.json")
        told = ["build", *_common(project, target), *arguments, "--no-write-json"]
        answer = self._server.run(told, environment).result(timeout=PATIENCE_SECONDS)
        return answer, self._said[project] + _logged(target)

    def close(self) -> None:
        self._server.close()

    def _parse(self, project: Path) -> None:
        """A project like one that is known begins with what that was parsed to; dbt looks at what of it still holds."""
        state = self._state(project)
        if project not in self._said and self._parsed is not None:
            shutil.copy(self._state(self._parsed) / PARSE_STATE, state / PARSE_STATE)
        answer = self._server.parse(_common(project, state), state / "manifest.json").result(timeout=PATIENCE_SECONDS)
        said = _logged(state)
        assert answer["ok"], said
        self._said.setdefault(project, said)
        self._parsed = project

    def _state(self, project: Path) -> Path:
        folder = self._folder / "_".join(project.parts[1:])
        folder.mkdir(exist_ok=True)
        return folder


def _common(project: Path, target: Path) -> list[str]:
    logged = ["--log-level", "none", "--log-level-file", "info", "--log-path", str(target / "logs")]
    return ["--project-dir", str(project), "--profiles-dir", str(project), "--target-path", str(target), *logged]


def _logged(target: Path) -> str:
    """What dbt wrote into its log since it was last asked for."""
    log = target / "logs" / "dbt.log"
    text = log.read_text()
    log.unlink()
    return text
