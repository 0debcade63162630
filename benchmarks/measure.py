"""How a comparison is measured: the candidates in turn, several rounds, medians, and the ratio round by round."""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Mapping
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
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1024
