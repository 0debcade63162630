"""A process that has dbt loaded and the project parsed, and builds each purpose in a fork of itself.

Loading dbt and parsing the project cost more than a day's models, so both are done once for all purposes, while the
sources are being read. The process is started with an environment without any secret; a fork gets the key of its one
purpose, in its environment, as a request of its own.

It reads one JSON object a line from its standard input ({"id", "do": "parse", "arguments", "manifest"} or {"id", "do": "run",
"arguments", "environment"}) and answers one a line on its standard output ({"id", "ok", "error", "results"}).
"""

import gc
import json
import os
import re
import selectors
import signal
import sys
import traceback
from pathlib import Path
from typing import IO, Any

import dbt.task.build
import dbt.task.test  # noqa: F401
import dbt_common.clients.agate_helper  # noqa: F401  # loaded before the forks, not in each
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest
from dbt_common.clients.jinja import template_cache

from storage import look_for_garbage_seldom, replace_durably

# Errors of these kinds speak of the SQL only; the text of others can quote a value out of a row.
SPEAKABLE = re.compile(r"(Binder|Catalog|Parser|Compilation|Syntax) Error|contract|IO Error|Dependency", re.IGNORECASE)
FAILED = ("error", "fail", "runtime error", "partial success")


def main() -> None:
    look_for_garbage_seldom()
    answers = os.fdopen(os.dup(1), "w")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    _serve(0, answers)


def _serve(requests: int, answers: IO[str]) -> None:
    manifest: Manifest | None = None
    buffer = b""
    with selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ, None)
        while True:
            for key, _ in selector.select():
                if key.data is not None:
                    _collect(selector, key, answers)
                    continue
                received = os.read(requests, 1 << 16)
                if not received:
                    _end_forks(selector)
                    return
                *lines, buffer = (buffer + received).split(b"\n")
                for line in lines:
                    request = json.loads(line)
                    if request["do"] == "parse":
                        manifest = _parse(request, answers)
                    else:
                        selector.register(*_fork(request, manifest))


def _end_forks(selector: selectors.BaseSelector) -> None:
    """Whoever asked is gone: no build may go on writing to a file that the next run opens."""
    for key in selector.get_map().values():
        if key.data is not None:
            os.kill(key.data[1], signal.SIGKILL)


def _parse(request: dict[str, Any], answers: IO[str]) -> Manifest | None:
    result = _invoke(dbtRunner(), request["arguments"])
    manifest = result.result if isinstance(result.result, Manifest) else None
    if manifest is not None:
        file = Path(request["manifest"])
        written = file.with_name(f"{file.stem}.new.json")
        manifest.writable_manifest().write(str(written))
        replace_durably(written, file)
    _answer(answers, request["id"], manifest is not None, _problem(result))
    if manifest is not None:
        _warm_up(manifest)
    return manifest


def _warm_up(manifest: Manifest) -> None:
    """Compile the macros that builds use, and load what Python models fit with, while the sources are being read: every fork
    inherits both."""
    import sklearn.linear_model  # noqa: F401

    for name in _used_macros(manifest):
        template_cache.get_node_template(manifest.macros[name])
    # What is there by now stays: no fork's garbage collection shall walk it, and by that copy its pages.
    gc.collect()
    gc.freeze()


def _used_macros(manifest: Manifest) -> set[str]:
    """What the nodes and their materializations call, and what those call: a third of what dbt comes with."""
    kinds = {f".materialization_{node.config.materialized}_" for node in manifest.nodes.values()}
    left = {name for name in manifest.macros if any(kind in name for kind in kinds)}
    left |= {name for node in manifest.nodes.values() for name in node.depends_on.macros}
    used: set[str] = set()
    while left:
        used |= left
        left = {name for one in left for name in manifest.macros[one].depends_on.macros} - used
    return used


def _fork(request: dict[str, Any], manifest: Manifest | None) -> tuple[int, int, tuple[int, int]]:
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return reading, selectors.EVENT_READ, (request["id"], child)
    os.close(reading)
    os.environ.update(request["environment"])
    status = 1
    try:
        with os.fdopen(writing, "w") as answers:
            _build(request, manifest, answers)
        status = 0
    finally:
        os._exit(status)


def _build(request: dict[str, Any], manifest: Manifest | None, answers: IO[str]) -> None:
    result = _invoke(dbtRunner(manifest=manifest), request["arguments"])
    found = getattr(result.result, "results", None) or []
    results = [
        {
            "unique_id": one.node.unique_id,
            "status": str(one.status),
            "seconds": round(one.execution_time, 3),
            "failures": one.failures,
            "message": _speakable(one.message) if str(one.status) in FAILED else None,
        }
        for one in found
    ]
    _answer(answers, request["id"], bool(result.success), None if found else _problem(result), results)


def _collect(selector: selectors.BaseSelector, key: selectors.SelectorKey, answers: IO[str]) -> None:
    """A fork has answered or ended: pass its answer on."""
    request_id, child = key.data
    selector.unregister(key.fileobj)
    with os.fdopen(key.fd, "r") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    if text.endswith("\n"):
        answers.write(text)
        answers.flush()
    else:
        _answer(answers, request_id, False, "dbt's process ended without an answer")


def _invoke(runner: dbtRunner, arguments: list[str]) -> dbtRunnerResult:
    try:
        return runner.invoke(arguments)
    except (Exception, SystemExit) as error:
        return dbtRunnerResult(success=False, exception=error)


def _problem(result: dbtRunnerResult) -> str | None:
    if result.success or result.exception is None:
        return None
    return _speakable("".join(traceback.format_exception_only(result.exception)))


def _speakable(message: str | None) -> str:
    if message and SPEAKABLE.search(message):
        return message.strip()
    kind = re.search(r"\b[A-Z][a-z]+ Error\b", message or "")
    return f"{kind.group(0) if kind else 'failed'} (the text is withheld: it may quote a row)"


def _answer(
    answers: IO[str], request_id: int, ok: bool, error: str | None, results: list[dict[str, Any]] | None = None
) -> None:
    answers.write(json.dumps({"id": request_id, "ok": ok, "error": error, "results": results or []}) + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
