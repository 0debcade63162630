"""The executor of a run: who waits for a pool goes on as soon as it is free."""

from pathlib import Path

from dagster import DagsterRun

from orchestration.instance import open_instance
from orchestration.threads import Pools
from storage import Home

POOL = "warehouse_fraud"


def test_a_step_that_waits_for_a_pool_gets_it_as_soon_as_another_has_ended(tmp_path: Path) -> None:
    with open_instance(Home(tmp_path)) as instance, Pools(instance, DagsterRun(job_name="leii_run")) as pools:
        assert pools.claim(POOL, "train")
        assert not pools.claim(POOL, "publish")
        pools.look_again()
        assert not pools.claim(POOL, "publish"), "the one that has it is still at work"
        pools.free_step("train")
        pools.look_again()
        assert pools.claim(POOL, "publish")
