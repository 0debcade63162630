"""Metrics on copies of a few rows that can be worked out by hand."""

from collections.abc import Iterator

import pytest

from publishing.metrics.computing import allowed_dimensions, compute
from publishing.metrics.reading import MetricError
from tests.dashboards.hand_made import HandMade

REQUESTS = """
CREATE TABLE marts.fct_request AS
SELECT category_id, municipality, md5(customer || i)::UUID AS customer_id, TIMESTAMPTZ '2026-11-03 10:00:00Z' AS requested_at,
    i::DOUBLE AS minutes_to_first_response, i = 1 AS is_matched
FROM (VALUES (1, 'OSLO', 'a', 5), (1, 'BODØ', 'b', 4), (2, 'OSLO', 'c', 4), (2, 'BODØ', 'd', 6), (3, 'OSLO', 'e', 2))
    AS t (category_id, municipality, customer, people), range(1, people + 1) AS r (i)
"""
LIQUIDITY = """
CREATE TABLE marts.agg_liquidity AS
SELECT *, DATE '2026-11-03' AS day FROM (VALUES
    (1, 'OSLO', 5::BIGINT, 2::BIGINT, 8::BIGINT, 4::BIGINT), (1, 'BODØ', 4, 1, 0, 0), (2, 'OSLO', 4, 4, 3, 1), (2, 'BODØ', 6, 3, 6, 3),
    (3, 'OSLO', 2, 1, 4, 3)
) AS t (category_id, municipality, requests, filled_requests, open_slots, open_providers)
"""
CATEGORIES = """
CREATE TABLE marts.dim_category AS SELECT * FROM (VALUES (1, 'Cleaning'), (2, 'Moving'), (3, 'Pets')) AS t (category_id, name_en)
"""


@pytest.fixture
def matching() -> Iterator[HandMade]:
    copy = HandMade(REQUESTS, LIQUIDITY, CATEGORIES)
    yield copy
    copy.close()


def test_a_metric_is_computed_over_all_or_by_a_dimension(matching: HandMade) -> None:
    assert compute(matching, "fill_rate").frame.rows() == [(11 / 21, False)]
    assert compute(matching, "time_to_first_response_median", ["municipality"]).frame.rows() == [
        ("BODØ", 3.0, False),
        ("OSLO", 2.0, False),
    ]


def test_a_cell_of_too_few_customers_is_withheld_and_another_with_it(matching: HandMade) -> None:
    """Pets has two customers; their figure would be all requests less the others', were Cleaning shown as well."""
    assert compute(matching, "requests", ["category"]).frame.rows() == [
        ("Cleaning", None, True),
        ("Moving", 10, False),
        ("Pets", None, True),
    ]


def test_what_is_withheld_by_one_dimension_cannot_be_summed_up_by_two(matching: HandMade) -> None:
    cells = compute(matching, "requests", ["category", "municipality"]).frame
    shown = {(row["category"], row["municipality"]) for row in cells.iter_rows(named=True) if not row["is_withheld"]}
    assert shown
    assert ("Pets", "OSLO") not in shown
    assert not {("Cleaning", "OSLO"), ("Cleaning", "BODØ")} <= shown


def test_a_figure_about_two_kinds_of_people_is_withheld_for_either(matching: HandMade) -> None:
    slots = compute(matching, "open_slots", ["municipality"]).frame
    tightness = compute(matching, "requests_per_open_slot", ["municipality"]).frame
    assert slots["is_withheld"].to_list() == tightness["is_withheld"].to_list() == [False, False]
    by_category = compute(matching, "requests_per_open_slot", ["category"]).frame
    assert by_category["is_withheld"].to_list() == [True, False, True]


def test_the_policys_limit_holds_where_the_copy_was_made_by_a_lower_one(matching: HandMade) -> None:
    matching.query("UPDATE about SET min_customers = 1")
    assert compute(matching, "requests", ["category"]).frame["is_withheld"].to_list() == [True, False, True]


def test_the_copys_limit_holds_where_it_is_the_stricter(matching: HandMade) -> None:
    matching.query("UPDATE about SET min_customers = 11")
    assert compute(matching, "requests", ["category"]).frame["is_withheld"].to_list() == [True, True, True]


@pytest.mark.parametrize(
    ("name", "by", "fault"),
    [
        ("fill_rates", [], "no metric 'fill_rates': did you mean fill_rate"),
        ("fill_rate", ["customer_id"], "cannot be cut by customer_id: it has category, municipality, month"),
        ("fill_rate", ["day"], "cannot be cut by day"),
        ("fill_rate", ["category", "municipality", "month"], "by 2 dimensions at most"),
    ],
)
def test_what_is_not_listed_is_refused(name: str, by: list[str], fault: str) -> None:
    with pytest.raises(MetricError, match=fault):
        allowed_dimensions(name, by)


def test_the_same_dimension_twice_is_once() -> None:
    assert allowed_dimensions("fill_rate", ["month", "month"]) == ("month",)


def test_a_metric_that_is_always_cut_is() -> None:
    assert allowed_dimensions("retention", []) == ("cohort_month", "month")
    assert allowed_dimensions("rule_precision", ["rule"]) == ("rule",)


MARKET = """
CREATE TABLE marts.agg_market_published AS
SELECT * FROM (VALUES
    (1, 'all', TRUE, DATE '2026-09-01', 40::BIGINT, 900.0), (1, 'OSLO', FALSE, DATE '2026-09-01', 30, 950.0),
    (1, 'BODØ', FALSE, DATE '2026-09-01', NULL, NULL), (1, 'all', TRUE, DATE '2026-10-01', NULL, NULL),
    (2, 'all', TRUE, DATE '2026-10-01', NULL, NULL), (1, 'OSLO', FALSE, DATE '2026-10-01', 10, 1050.0)
) AS t (category_id, municipality, is_total, month_start, requests, price_median_nok)
"""


@pytest.fixture
def market() -> Iterator[HandMade]:
    names = CATEGORIES.replace("dim_category", "dim_market_category")
    copy = HandMade(MARKET, names)
    yield copy
    copy.close()


def test_what_is_withheld_in_a_mart_stays_so_and_a_sum_says_what_is_missing(market: HandMade) -> None:
    assert compute(market, "published_requests", ["category"]).frame.rows() == [
        ("Cleaning", 40, 2, 1, False),
        ("Moving", None, 1, 1, True),
    ]
    by_place = compute(market, "published_requests", ["municipality"]).frame
    assert by_place.select("municipality", "value", "is_withheld").rows() == [("BODØ", None, True), ("OSLO", 40, False)]


def test_totals_and_their_parts_are_never_added_up(market: HandMade) -> None:
    assert compute(market, "published_requests").frame.select("value", "cells", "withheld_cells").rows() == [(40, 3, 2)]


def test_prices_are_of_one_category(market: HandMade) -> None:
    answer = compute(market, "median_price", ["municipality"])
    assert answer.by == ("category", "municipality")
    assert answer.frame.select("municipality", "value").rows() == [("BODØ", None), ("OSLO", 1000.0)]
