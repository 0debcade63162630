"""dbt, one purpose at a time: the project parsed once, then each purpose built with nothing but its own key."""

import atexit
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from storage import Home, LeiiError, Workspace, write_durably
from storage.extensions import ensure_extensions
from storage.keyring import key_text
from storage.spilling import spill_folder

PARSE_NOW = "2000-01-01T00:00:00+00:00"
"""LEII_NOW while parsing: a constant, since dbt parses everything anew when a variable of its project file changes."""

PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "SSL_CERT_FILE")
"""What dbt's process sees of our environment: nothing that could be a secret."""

PARSE_STATE = "partial_parse.msgpack"
"""What dbt keeps of a parse. It looks itself, by the files' hashes and its own version, at what of it still holds."""

NOT_IN_RUNS = ("unit_test", "exposure")
"""Kinds of nodes that a run leaves out: what is for tests, and what says only who reads a mart."""


@dataclass(frozen=True, kw_only=True)
class NodeResult:
    """What dbt did with one model or test. `failures` counts a test's failing rows."""

    unique_id: str
    status: str
    seconds: float
    failures: int | None
    message: str | None


@dataclass(frozen=True, kw_only=True)
class DbtBuild:
    """One purpose's build."""

    purpose: str
    nodes: tuple[NodeResult, ...]

    @property
    def failed(self) -> list[NodeResult]:
        return [node for node in self.nodes if node.status in ("error", "fail", "runtime error", "partial success")]


class DbtError(LeiiError):
    """dbt could not parse the project, or a model or test failed. `build` is None when nothing was built."""

    def __init__(self, message: str, build: DbtBuild | None = None) -> None:
        self.build = build
        super().__init__(message)


class DbtServer:
    """The client of `orchestration.dbt_server`; safe among threads. Ends with this process."""

    def __init__(self) -> None:
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment |= {"DO_NOT_TRACK": "1", "LEII_DBT_ALL": "1", "LEII_NOW": PARSE_NOW}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.dbt_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=Path(__file__).parents[1],
        )
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self._count = 0
        threading.Thread(target=self._listen, name="dbt-answers", daemon=True).start()
        atexit.register(self.close)

    def parse(self, arguments: Sequence[str], manifest: Path) -> Future[dict[str, Any]]:
        """Parse a project. `manifest` is put in its place whole: whoever reads the one before must not see it half written."""
        return self._ask(
            {"do": "parse", "arguments": ["parse", *arguments, "--no-write-json"], "manifest": str(manifest)}
        )

    def run(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Future[dict[str, Any]]:
        """Run a command of dbt's on what was parsed last, in a process of its own that has this environment."""
        return self._ask({"do": "run", "arguments": list(arguments), "environment": dict(environment)})

    def _ask(self, request: Mapping[str, Any]) -> Future[dict[str, Any]]:
        answer: Future[dict[str, Any]] = Future()
        with self._lock:
            self._count += 1
            self._waiting[self._count] = answer
            assert self._process.stdin is not None
            try:
                self._process.stdin.write(json.dumps({"id": self._count, **request}).encode() + b"\n")
                self._process.stdin.flush()
            except BrokenPipeError:
                raise DbtError("dbt's process has ended: start the run again") from None
        return answer

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()
        if self.is_running:
            self._process.terminate()
            self._process.wait(timeout=10)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            with self._lock:
                future = self._waiting.pop(answer["id"])
            future.set_result(answer)
        with self._lock:
            left, self._waiting = list(self._waiting.values()), {}
        for future in left:
            future.set_exception(DbtError("dbt's process has ended: start the run again"))


_server: DbtServer | None = None
_parsed: dict[Path, Future[dict[str, Any]]] = {}
_guard = threading.Lock()


def project_folder() -> Path:
    """The dbt project beside the packages. Raises DbtError when this is an installation without it."""
    folder = Path(str(files("orchestration"))).parent / "dbt_project"
    if not (folder / "dbt_project.yml").exists():
        raise DbtError(f"no dbt project at {folder}: run from a checkout of the repository")
    return folder


def manifest_file(home: Home) -> Path:
    """dbt's description of every purpose's models."""
    return home.dbt_folder("manifest") / "manifest.json"


def begin_parsing(home: Home) -> Future[dict[str, Any]]:
    """Start dbt's process, if it is not there, and let it parse the project; does not wait."""
    global _server
    with _guard:
        if _server is None or not _server.is_running:
            _server = DbtServer()
            _parsed.clear()
        if home.root not in _parsed:
            folder = home.dbt_folder("manifest")
            _take_parse_state(folder)
            arguments = [*_common(folder), "--target-path", str(folder)]
            _parsed[home.root] = _server.parse(arguments, manifest_file(home))
            _parsed[home.root].add_done_callback(lambda _: _keep_parse_state(folder))
        return _parsed[home.root]


def end_parsing() -> None:
    """End dbt's process, for whoever wanted nothing but the manifest."""
    global _server
    with _guard:
        if _server is not None:
            _server.close()
        _server = None
        _parsed.clear()


def fresh_manifest(home: Home) -> Path:
    """The manifest, parsed anew if a file of the project is younger. Raises DbtError if that fails."""
    path = manifest_file(home)
    if not path.exists() or path.stat().st_mtime < _newest_change(project_folder()):
        _wait_for_parsing(home)
    return path


def build_purpose(workspace: Workspace, purpose: str, *, full_refresh: bool = False) -> DbtBuild:
    """Build and test every model of one purpose. Raises DbtError, with the build, if something failed."""
    home = workspace.home
    ensure_extensions(home.extensions)
    _wait_for_parsing(home)
    folder = home.dbt_folder(purpose)
    arguments = ["build", *_common(folder), "--target", purpose, "--target-path", str(folder / "target")]
    arguments += ["--select", f"path:models/{purpose}", "--exclude-resource-type", *NOT_IN_RUNS, "--no-write-json"]
    if full_refresh:
        arguments.append("--full-refresh")
    assert _server is not None
    answer = _server.run(arguments, dbt_environment(workspace, purpose)).result()
    build = DbtBuild(purpose=purpose, nodes=tuple(NodeResult(**node) for node in answer["results"]))
    if not answer["ok"]:
        raise DbtError(_why(purpose, build, answer["error"]), build)
    return build


def dbt_environment(workspace: Workspace, purpose: str) -> dict[str, str]:
    """What one purpose's build is told: its file, its key, and no other's."""
    home = workspace.home
    return {
        "LEII_DBT_PURPOSE": purpose,
        "LEII_DBT_FILE": str(home.warehouse_file(purpose)),
        "LEII_DBT_EXTENSIONS": str(home.extensions),
        "LEII_DBT_TEMPORARY": spill_folder(home),
        "LEII_NOW": workspace.now.isoformat(),
        "DBT_ENV_SECRET_LEII_KEY": key_text(workspace.keyring.purpose_key(purpose, "warehouse")),
    }


def _wait_for_parsing(home: Home) -> None:
    answer = begin_parsing(home).result()
    if not answer["ok"]:
        with _guard:
            _parsed.pop(home.root, None)
        raise DbtError(f"dbt cannot parse the project: {answer['error']}")


def kept_parse_state() -> Path:
    """Apart from dbt's own of that name: other tools parse the checkout with other settings, with which it is worth nothing."""
    return project_folder() / "target" / "runs" / PARSE_STATE


def _take_parse_state(folder: Path) -> None:
    """A new LEII_HOME begins with what an earlier one's parse of this checkout left: half of dbt's work is in it."""
    kept, own = kept_parse_state(), folder / PARSE_STATE
    if kept.exists() and not own.exists():
        write_durably(own, kept.read_bytes())


def _keep_parse_state(folder: Path) -> None:
    project = project_folder()
    kept, own = kept_parse_state(), folder / PARSE_STATE
    is_newer = not kept.exists() or kept.stat().st_mtime < _newest_change(project)
    if is_newer and own.exists() and os.access(project, os.W_OK):
        write_durably(kept, own.read_bytes())


def _common(folder: Path) -> list[str]:
    project = str(project_folder())
    quiet = ["--quiet", "--log-level", "none", "--log-level-file", "none", "--log-path", str(folder / "logs")]
    return ["--project-dir", project, "--profiles-dir", project, *quiet]


def _why(purpose: str, build: DbtBuild, error: str | None) -> str:
    if not build.failed:
        return f"dbt could not build {purpose}: {error}"
    lines = [
        f"- {node.unique_id}: {node.message if node.failures is None else f'{node.failures} rows fail the test'}"
        for node in build.failed[:10]
    ]
    more = f"\n- and {len(build.failed) - 10} more" if len(build.failed) > 10 else ""
    return f"dbt: {len(build.failed)} models or tests of {purpose} failed:\n" + "\n".join(lines) + more


@cache
def _newest_change(project: Path) -> float:
    names = ("models", "macros", "seeds", "tests", "dbt_project.yml", "profiles.yml")
    found = [path for name in names for path in (project / name, *(project / name).rglob("*"))]
    return max(path.stat().st_mtime for path in found if path.exists())
