"""What pages ask, on marts of a few rows that can be summed by hand."""

from collections.abc import Iterator
from datetime import date

import pytest

from dashboards.queries import fraud, market, matching
from dashboards.queries.matching import Choice
from dashboards.queries.periods import Period
from tests.dashboards.hand_made import HandMade

WEEK = Period(first=date(2026, 11, 2), last=date(2026, 11, 8))


CATEGORIES = "SELECT * FROM (VALUES (1, 'Cleaning'), (2, 'Moving')) AS t (category_id, name_en)"


@pytest.fixture
def matching_copy() -> Iterator[HandMade]:
    """Two categories in two towns, one week, and a week that has not ended."""
    copy = HandMade(
        f"CREATE TABLE marts.dim_category AS {CATEGORIES}",
        """
        CREATE TABLE marts.agg_liquidity AS
        SELECT * FROM (VALUES
            (1, 'OSLO', DATE '2026-11-02', 10::BIGINT, 4::BIGINT, 3::BIGINT, 2::BIGINT, 6::BIGINT, 2::BIGINT),
            (2, 'OSLO', DATE '2026-11-02', 5, 2, 2, 1, 0, 0),
            (1, 'BODØ', DATE '2026-11-02', 1, 1, 1, 0, 1, 1),
            (1, 'OSLO', DATE '2026-11-09', 9, 9, 9, 9, 9, 9)
        ) AS t (category_id, municipality, day, searches, requests, customers, filled_requests, open_slots, open_providers)
        """,
        """
        CREATE TABLE marts.fct_request AS
        SELECT category_id, municipality, md5(customer)::UUID AS customer_id, requested_at, minutes_to_first_response FROM (VALUES
            (1, 'OSLO', 'kari', TIMESTAMPTZ '2026-11-03 10:00:00Z', 10), (1, 'OSLO', 'per', TIMESTAMPTZ '2026-11-04 10:00:00Z', 50),
            (1, 'OSLO', 'kari', TIMESTAMPTZ '2026-11-05 10:00:00Z', NULL), (1, 'OSLO', 'ola', TIMESTAMPTZ '2026-11-08 23:59:00Z', NULL),
            (2, 'OSLO', 'kari', TIMESTAMPTZ '2026-11-04 10:00:00Z', NULL), (2, 'OSLO', 'kari', TIMESTAMPTZ '2026-11-06 10:00:00Z', NULL),
            (1, 'BODØ', 'bodil', TIMESTAMPTZ '2026-11-05 10:00:00Z', NULL), (1, 'OSLO', 'nina', TIMESTAMPTZ '2026-11-10 10:00:00Z', 600)
        ) AS t (category_id, municipality, customer, requested_at, minutes_to_first_response)
        """,
        """
        CREATE TABLE marts.fct_request_funnel AS
        SELECT md5(request)::UUID AS request_id, 1 AS category_id, 'OSLO' AS municipality,
            TIMESTAMPTZ '2026-11-03 10:00:00Z' AS requested_at,
            TIMESTAMPTZ '2026-11-03 10:00:00Z' + to_minutes(minutes) AS responded_at,
            minutes IS NOT NULL AS is_responded, booked AS is_accepted, booked AS is_booked, FALSE AS is_completed
        FROM (VALUES ('a', 30, FALSE), ('a', 10, TRUE), ('b', 50, FALSE), ('c', NULL, FALSE)) AS t (request, minutes, booked)
        """,
        """
        CREATE TABLE marts.agg_unmet_need AS
        SELECT * FROM (VALUES
            (1, 'OSLO', DATE '2026-11-02', 10::BIGINT, 1::BIGINT, 4::BIGINT, 0::BIGINT, 2::BIGINT),
            (2, 'OSLO', DATE '2026-11-08', 5, 2, 2, 1, 1), (1, 'BODØ', DATE '2026-11-03', 1, 0, 1, 0, 1),
            (1, 'OSLO', DATE '2026-11-09', 9, 9, 9, 9, 9)
        ) AS t (category_id, municipality, day, searches, zero_result_searches, requests, unshown_requests, unfilled_requests)
        """,
        """
        CREATE TABLE marts.fct_rank_training AS
        SELECT 1 AS category_id, 'OSLO' AS municipality, TIMESTAMPTZ '2026-11-03 10:00:00Z' AS requested_at,
            md5(provider)::UUID AS provider_id, provider = 'new' AS is_newcomer
        FROM (VALUES ('old'), ('old'), ('older'), ('new')) AS t (provider)
        """,
        """
        CREATE TABLE marts.fct_provider_ranking AS
        SELECT 1 AS category_id, 'OSLO' AS municipality, md5(provider)::UUID AS provider_id, provider = 'new' AS is_newcomer
        FROM (VALUES ('old'), ('new')) AS t (provider)
        """,
        "CREATE TABLE marts.dim_provider AS SELECT md5(i::VARCHAR)::UUID AS provider_id, 'OSLO' AS municipality FROM range(4) AS t (i)",
        """
        CREATE TABLE marts.fct_provider_capacity_hour AS
        SELECT md5(i::VARCHAR)::UUID AS provider_id, DATE '2026-11-02' + CAST(i AS INTEGER) AS day, 60 * i AS open_minutes,
            180 AS booked_minutes
        FROM range(4) AS t (i)
        """,
    )
    yield copy
    copy.close()


def test_only_whole_weeks_are_offered(matching_copy: HandMade) -> None:
    assert matching.weeks(matching_copy) == (date(2026, 11, 2), date(2026, 11, 2))


def test_liquidity_sums_over_what_is_chosen(matching_copy: HandMade) -> None:
    everything = matching.liquidity(matching_copy, Choice(period=WEEK), []).row(0, named=True)
    assert (everything["requests"], everything["filled_requests"], everything["searches"]) == (7, 3, 16)
    assert everything["fill_rate"] == pytest.approx(3 / 7)
    assert everything["requests_per_open_slot"] == pytest.approx(1.0)
    oslo = matching.liquidity(matching_copy, Choice(period=WEEK, municipality="OSLO", category_id=1), ["week_start"])
    assert oslo.select("week_start", "requests").rows() == [(date(2026, 11, 2), 4)]


def test_people_behind_a_row_are_never_taken_for_more_than_are_known(matching_copy: HandMade) -> None:
    everything = matching.liquidity(matching_copy, Choice(period=WEEK), []).row(0, named=True)
    assert everything["customers"] == 4  # kari asks in two categories and is one
    assert everything["providers_at_least"] == 3  # with open hours; the fourth has none
    cells = matching.liquidity(matching_copy, Choice(period=WEEK), ["category_id", "municipality"])
    assert cells.select("category_id", "municipality", "customers", "providers_at_least").rows() == [
        (1, "BODØ", 1, 1),
        (1, "OSLO", 3, 2),
        (2, "OSLO", 1, 0),
    ]


def test_the_funnel_counts_requests_and_not_providers_asked(matching_copy: HandMade) -> None:
    funnel = matching.funnel(matching_copy, Choice(period=WEEK))
    assert funnel.select("stage", "requests").rows() == [
        ("Requests made", 7),
        ("Shown to a provider", 3),
        ("Answered", 2),
        ("Accepted", 1),
        ("Booked", 1),
        ("Completed", 0),
    ]
    assert funnel["share"].to_list()[:2] == [1.0, pytest.approx(3 / 7)]


def test_the_time_to_the_first_answer_is_the_earliest_of_each_request(matching_copy: HandMade) -> None:
    times = matching.first_response(matching_copy, Choice(period=WEEK))
    assert times == {"median_minutes": 30.0, "p90_minutes": pytest.approx(46.0)}  # of 10 and 50
    by_week = matching.first_response_by_week(matching_copy, Choice(period=WEEK))
    assert by_week.select("median_minutes", "answered").rows() == [(30.0, 2)]


def test_unmet_need_is_of_the_period_and_tells_who_asked(matching_copy: HandMade) -> None:
    everything = matching.unmet_need(matching_copy, Choice(period=WEEK), []).row(0, named=True)
    assert (everything["unfilled_requests"], everything["unshown_requests"], everything["zero_result_searches"]) == (
        4,
        1,
        3,
    )
    assert everything["unfilled_share"] == pytest.approx(4 / 7)
    assert everything["customers"] == 4
    by_category = matching.unmet_need(matching_copy, Choice(period=WEEK), ["category_id"])
    assert by_category.select("category_id", "unfilled_requests", "customers").rows() == [(1, 3, 4), (2, 1, 1)]


def test_exposure_counts_places_and_the_newcomers_behind_them(matching_copy: HandMade) -> None:
    found = {row["kind"]: row for row in matching.exposure(matching_copy, Choice(period=WEEK)).iter_rows(named=True)}
    assert found["shown"] == {"kind": "shown", "share": 0.25, "providers": 3, "newcomers": 1}
    assert found["proposed"] == {"kind": "proposed", "share": 0.5, "providers": 2, "newcomers": 1}


def test_utilisation_weighs_by_the_hours_offered(matching_copy: HandMade) -> None:
    used = matching.utilisation(matching_copy, Choice(period=WEEK), by_week=False).row(0, named=True)
    assert used["utilisation"] == pytest.approx(4 * 180 / (4 * 180 + 360))
    assert used["providers"] == 4


@pytest.fixture
def market_copy() -> Iterator[HandMade]:
    copy = HandMade(
        f"CREATE TABLE marts.dim_market_category AS {CATEGORIES}",
        """
        CREATE TABLE marts.agg_market_published AS
        SELECT *, requests AS searches, bookings AS completed_bookings, 0 AS cancelled_bookings, 12 AS customers, 6 AS providers
        FROM (VALUES
            (1, 'all', TRUE, DATE '2026-09-01', 40::BIGINT, 30::BIGINT, 900.0, NULL),
            (1, 'OSLO', FALSE, DATE '2026-09-01', 30, 25, 950.0, NULL),
            (1, 'BODØ', FALSE, DATE '2026-09-01', NULL, NULL, NULL, 'too_few_people'),
            (1, 'all', TRUE, DATE '2026-10-01', 50, 35, NULL, NULL),
            (2, 'all', TRUE, DATE '2026-10-01', NULL, NULL, NULL, 'too_few_people')
        ) AS t (category_id, municipality, is_total, month_start, requests, bookings, price_median_nok, suppression_reason)
        """,
    )
    yield copy
    copy.close()


def test_the_headline_sums_published_totals_and_counts_what_is_withheld(market_copy: HandMade) -> None:
    period = Period(first=date(2026, 9, 1), last=date(2026, 10, 31))
    found = market.headline(market_copy, period, None, "all")
    assert (found["requests"], found["bookings"], found["cells"], found["withheld_cells"]) == (90, 65, 3, 1)
    assert market.latest_price(market_copy, period, 1, "all") == (date(2026, 9, 1), 900.0)
    assert market.latest_price(market_copy, period, 2, "all") == (None, None)


def test_a_month_without_a_published_figure_is_empty_and_not_nought(market_copy: HandMade) -> None:
    months = market.by_month(market_copy, Period(first=date(2026, 9, 1), last=date(2026, 10, 31)), 2, "all")
    assert months.select("month_start", "bookings", "withheld_cells").rows() == [(date(2026, 10, 1), None, 1)]


def test_places_without_any_published_figure_are_left_out(market_copy: HandMade) -> None:
    places = market.places(market_copy, Period(first=date(2026, 9, 1), last=date(2026, 10, 31)), 1, 12)
    assert places["municipality"].unique().to_list() == ["OSLO"]


def test_the_share_completed_is_of_cells_in_which_both_figures_are_published() -> None:
    copy = HandMade(
        f"CREATE TABLE marts.dim_market_category AS {CATEGORIES}",
        """
        CREATE TABLE marts.agg_market_published AS
        SELECT 1 AS category_id, 'all' AS municipality, TRUE AS is_total, month_start, 1::BIGINT AS requests, bookings, 1 AS searches,
            completed_bookings, NULL AS suppression_reason
        FROM (VALUES (DATE '2026-09-01', 20::BIGINT, 15::BIGINT), (DATE '2026-10-01', 40, NULL), (DATE '2026-11-01', NULL, 30))
            AS t (month_start, bookings, completed_bookings)
        """,
    )
    found = market.headline(copy, Period(first=date(2026, 9, 1), last=date(2026, 11, 30)), None, "all")
    assert (found["bookings"], found["completed_share"]) == (60, 0.75)
    copy.close()


def test_the_newest_forecast_stands_beside_the_year_before() -> None:
    copy = HandMade(
        """
        CREATE TABLE marts.fct_forecast AS
        SELECT 1 AS category_id, 'all' AS municipality, *, week_start - 7 * horizon_weeks AS origin_week_start
        FROM (VALUES
            ('smoothing', DATE '2026-11-16', 1, 20::BIGINT, 15::BIGINT, 25::BIGINT, 10::BIGINT, 30::BIGINT),
            ('seasonal_naive', DATE '2026-11-16', 1, 18, 9, 27, 4, 33),
            ('smoothing', DATE '2026-11-16', 2, 99, 98, 99, 97, 99)
        ) AS t (model, week_start, horizon_weeks, requests, lower_80, upper_80, lower_95, upper_95)
        """,
    )
    forecast = market.forecast(copy, 1, "all")
    assert forecast.drop("origin_week_start").rows() == [(date(2026, 11, 16), 20, 18, 15, 25, 10, 30)]
    assert market.forecast(copy, 1, "OSLO").is_empty()
    copy.close()


def test_flags_tell_reasons_in_english_and_no_whole_pseudonym() -> None:
    copy = HandMade(
        "CREATE TABLE marts.dim_rule AS SELECT 'ID02' AS rule_code, 'Card shared' AS text_en",
        "CREATE TABLE marts.dim_account_cluster AS SELECT md5('x')::UUID AS account_id, 3 AS account_count, 1 AS banned_count",
        """
        CREATE TABLE marts.fct_flag AS
        SELECT 'flag_' || md5('flag') AS flag_id, md5('x')::UUID AS account_id, 0.6 AS score, 'review' AS recommended_action,
            TIMESTAMPTZ '2026-11-01 00:00:00Z' AS issued_at, 'active' AS status, TIMESTAMPTZ '2027-01-30 00:00:00Z' AS expires_at,
            '[{"code": "ID02", "text": "Kort delt", "value": 3, "threshold": 2}, '
            || '{"code": "OLD", "text": "Gammel", "value": 1.5, "threshold": 1}]' AS reasons
        """,
    )
    flag = fraud.flags(copy).row(0, named=True)
    assert [reason["text"] for reason in flag["reasons"]] == ["Card shared", "Gammel"]
    assert (flag["codes"], flag["cluster_accounts"]) == (["ID02", "OLD"], 3)
    assert (len(flag["flag"]), len(flag["account"])) == (8, 8)
    assert {"flag_id", "account_id"}.isdisjoint(flag)
    copy.close()
