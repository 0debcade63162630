"""Many random worlds and histories of changes: what is left after erasures is what a build without the erased gives.

`python -m benchmarks.erasure_oracle --examples 50 --seed 7` plays fifty histories of up to four steps and stops at the
first that ends otherwise, which it prints; the suite's own test plays a few short ones.
"""

import argparse
import time

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings

from benchmarks.running_world import running_world
from demo.world.spec import SMALLEST, world_spec
from tests.integration.histories import History, histories
from tests.integration.oracle import play


def main(examples: int = 10, number: int = 7, most_steps: int = 4) -> None:
    """Print each history that was played, how many it erased, and the seconds it took."""
    accounts, bookings, events = SMALLEST
    spec = world_spec(seed=number, accounts=accounts, bookings=bookings, events=events)
    with running_world(spec, rate_limit=0) as world:

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
        )
        @seed(number)
        @given(history=histories(most_steps=most_steps))
        def plays(history: History) -> None:
            began = time.perf_counter()
            print(history, flush=True)
            played = play(world, history)
            seconds = time.perf_counter() - began
            print(f"  {len(played.accounts)} people erased, nothing differs, {seconds:.0f} s", flush=True)

        plays()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--examples", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--most-steps", type=int, default=4)
    given_arguments = parser.parse_args()
    main(given_arguments.examples, given_arguments.seed, given_arguments.most_steps)
