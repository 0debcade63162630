"""Whole passes of `leii run` over a generated world: the first, and a second with one day of news; and peak memory.

Aims: the small world's demo under 90 s on two cores, the second pass under a quarter of the first, and under 2 GiB
of memory for the medium world.
"""

import subprocess
import sys
import tempfile
import time

from benchmarks.measure import cost_of
from benchmarks.running_world import LEII, running_world
from demo.world.spec import world_spec


def main(size: str = "small") -> None:
    """Print what both passes over a world of this size took, and for the small one the whole demo."""
    if size == "small":
        _demo()
    with running_world(world_spec(size=size)) as world:
        first = cost_of([LEII, "run", "--json"], world.environment)
        world.play_on(1)
        second = cost_of([LEII, "run", "--json"], world.environment)
    print(f"{size} world: first pass {first.seconds:.0f} s, second with one day of news {second.seconds:.0f} s")
    print(f"  second / first: {second.seconds / first.seconds:.2f} (aim: below 0.25)")
    print(
        f"  largest process: {max(first.largest_mib, second.largest_mib):,.0f} MiB (aim: below 2,048 for the medium world); "
        f"all together: {max(first.together_mib, second.together_mib):,.0f} MiB"
    )


def _demo() -> None:
    with tempfile.TemporaryDirectory(prefix="leii-bench-", ignore_cleanup_errors=True) as name:
        began = time.perf_counter()
        subprocess.run([LEII, "demo"], cwd=name, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        print(f"leii demo, small world: {time.perf_counter() - began:.0f} s (aim: below 90 on two cores)")


if __name__ == "__main__":
    main(*sys.argv[1:])
