"""Kills a piece of work with SIGKILL at the n-th line that it runs of the code under test, in a process of its own.

The parent never opens DuckDB, so forking it is safe.
"""

import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

# What DuckDB imports with the first Arrow table: once here instead of in every child.
for _name in ("pandas", "pyarrow.dataset"):
    importlib.import_module(_name)


def run_in_child(work: Callable[[], None], *, kill_at_line: int | None = None, modules: tuple[str, ...] = ()) -> bool:
    """True if the work ended by itself, False if it was killed at that line. Raises if it failed."""
    child = os.fork()
    if child == 0:
        _work_and_exit(work, kill_at_line, modules)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    if os.waitstatus_to_exitcode(status) != 0:
        raise AssertionError(f"the work failed (killed at line {kill_at_line})")
    return True


def _work_and_exit(work: Callable[[], None], kill_at_line: int | None, modules: tuple[str, ...]) -> None:
    try:
        if kill_at_line is not None:
            sys.settrace(_killer(kill_at_line, modules))
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _killer(kill_at_line: int, modules: tuple[str, ...]) -> Callable[[FrameType, str, Any], Any]:
    lines = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        if event == "call" and frame.f_globals.get("__name__") not in modules:
            return None
        if event == "line":
            lines += 1
            if lines == kill_at_line:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace
