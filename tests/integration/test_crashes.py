"""A run that is killed is taken up by the next one to the very end that it would have had."""

import pytest

from benchmarks.crashes import kill_and_compare
from benchmarks.running_world import running_world
from demo.world.spec import world_spec

pytestmark = [pytest.mark.endurance, pytest.mark.timeout(900)]

POINTS = 3


def test_runs_killed_at_random_moments_end_as_if_nothing_had_happened() -> None:
    with running_world(world_spec(seed=11, accounts=100, bookings=300, events=1500), rate_limit=0) as world:
        assert kill_and_compare(world, POINTS, seed=3) == POINTS
