"""Erasing from what was built leaves what building without the erased gives, whatever happened and whoever left.

Every example is four builds of everything. `LEII_ORACLE_EXAMPLES` sets how many there are; `python -m
benchmarks.erasure_oracle` plays longer histories than these.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from benchmarks.running_world import RunningWorld, running_world
from demo.world.spec import SMALLEST, world_spec
from tests.integration.histories import History, histories
from tests.integration.oracle import Played, play

pytestmark = [pytest.mark.endurance, pytest.mark.timeout(1800)]

EXAMPLES = int(os.environ.get("LEII_ORACLE_EXAMPLES", "2"))

FIGURES_OVER_EVERYBODY = {
    "matching: intermediate.int_matching__rank_feature",
    "matching: intermediate.int_matching__rank_pair",
    "matching: intermediate.int_matching__ranking_weight",
    "matching: marts.agg_liquidity",
    "matching: marts.agg_liquidity_hour",
    "matching: marts.agg_unit_economics",
    "matching: marts.agg_unmet_need",
    "matching: marts.dim_category",
    "matching: marts.dim_provider",
    "matching: marts.dim_ranking_weight",
    "matching: marts.fct_provider_ranking",
    "matching: marts.fct_rank_training",
    "matching: marts.fct_request",
    "fraud: intermediate.int_account_cluster",
    "fraud: intermediate.int_flag_reason",
    "fraud: intermediate.int_identifier_edge",
    "fraud: intermediate.int_rule_hit",
    "fraud: marts.agg_rule_performance",
    "fraud: marts.dim_account_cluster",
    "fraud: marts.fct_flag",
    "fraud: marts.fct_rule_hit",
    "market_trends: intermediate.agg_market_month",
    "market_trends: intermediate.agg_market_price_index",
    "market_trends: intermediate.agg_market_week",
    "market_trends: intermediate.int_market_trends__cell",
    "market_trends: intermediate.int_market_trends__demand_week",
    "market_trends: intermediate.int_market_trends__forecast",
    "market_trends: intermediate.int_market_trends__rest",
    "market_trends: intermediate.int_market_trends__withheld",
    "market_trends: marts.agg_market_published",
    "market_trends: marts.agg_market_published_all",
    "market_trends: marts.agg_market_season",
    "market_trends: marts.fct_forecast",
    "accounting: marts.agg_reconciliation_day",
}
"""Tables in which a row is about others than those whom it names: counts, means, clusters, and flags that rest on them."""


@pytest.fixture(scope="module")
def world() -> Iterator[RunningWorld]:
    accounts, bookings, events = SMALLEST
    spec = world_spec(seed=1, accounts=accounts, bookings=bookings, events=events)
    with running_world(spec, rate_limit=0) as world:
        yield world


@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(history=histories())
def test_erasing_leaves_what_building_without_the_erased_gives(world: RunningWorld, history: History) -> None:
    played = play(world, history)
    assert len(played.accounts) >= 5
    assert_only_figures_changed(played)


def assert_only_figures_changed(played: Played) -> None:
    """Rows of everybody else are the same before and after an erasure."""
    assert set(played.changed_for_others) <= FIGURES_OVER_EVERYBODY
