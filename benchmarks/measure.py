"""How a comparison is measured: the candidates in turn, several rounds, medians, and the ratio round by round."""

import multiprocessing
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from storage import look_for_garbage_seldom


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Seconds of each candidate, one a round. Absolute times differ from machine to machine; ratios hold better."""

    rows: int
    seconds: Mapping[str, list[float]]

    def rate(self, name: str) -> float:
        """Median rows a second."""
        return self.rows / statistics.median(self.seconds[name])

    def ratio(self, name: str, other: str) -> float:
        """Median over rounds of `other`'s time divided by `name`'s: above 1 means that `name` is the faster."""
        pairs = zip(self.seconds[other], self.seconds[name], strict=True)
        return statistics.median(theirs / ours for theirs, ours in pairs)

    def lines(self) -> list[str]:
        return [
            f"  {name:<28} {self.rate(name):>12,.0f} rows/s  (median of {len(s)})" for name, s in self.seconds.items()
        ]


def compare(rows: int, candidates: Mapping[str, Callable[[], None]], rounds: int = 3) -> Comparison:
    """Run every candidate once to warm up and then in turn, round after round.

    Garbage is looked for as seldom as in the command `leii`, whichever candidate runs.
    """
    look_for_garbage_seldom()
    for run in candidates.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    return Comparison(rows=rows, seconds=seconds)


def peak_mib(run: Callable[[], object]) -> float:
    """The most memory that a process of its own has resident while it does nothing but this, in MiB. `run` is pickled."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        return processes.submit(_peak_mib, run).result()


def _peak_mib(run: Callable[[], object]) -> float:
    look_for_garbage_seldom()
    run()
    # What getrusage counts begins with the parent's memory, which a process has until it runs a program of its own.
    return _kib("self", "status", "VmHWM") / 1024


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of a command with all its processes: `largest_mib` is the most that one of them had resident, `together_mib` the most
    that all had at once, with what they share counted once (both looked at every half second)."""

    seconds: float
    largest_mib: float
    together_mib: float


def cost_of(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Run a command to its end. Raises CalledProcessError if it fails."""
    began = time.perf_counter()
    largest = together = 0
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            family = _with_children(process.pid)
            largest = max(largest, *(_kib(one, "status", "VmHWM") for one in family))
            together = max(together, sum(_kib(one, "smaps_rollup", "Pss") for one in family))
            try:
                process.wait(0.5)
            except subprocess.TimeoutExpired:
                continue
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(seconds=time.perf_counter() - began, largest_mib=largest / 1024, together_mib=together / 1024)


def _with_children(pid: int) -> list[int]:
    try:
        found = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        found = []
    return [pid, *(one for text in found for child in text.split() for one in _with_children(int(child)))]


def _kib(pid: int | str, file: str, name: str) -> int:
    """A figure of /proc; 0 when the process has ended."""
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/{file}").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0
