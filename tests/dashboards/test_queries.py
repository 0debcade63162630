"""What pages ask, on marts of a few rows that can be summed by hand."""

from collections.abc import Iterator
from datetime import date

import duckdb
import polars as pl
import pytest

from dashboards.queries import fraud, market, matching
from dashboards.queries.matching import Choice
from dashboards.queries.periods import Period
from publishing.readers import Parameters

WEEK = Period(first=date(2026, 11, 2), last=date(2026, 11, 8))


class HandMade:
    """A copy with marts made by hand, in a DuckDB of its own."""

    def __init__(self, *statements: str) -> None:
        self._con = duckdb.connect()
        self._con.execute("SET TimeZone = 'UTC'; CREATE SCHEMA marts")
        self._con.execute("CREATE TABLE about AS SELECT TIMESTAMPTZ '2026-11-15 06:00:00Z' AS built_at")
        for statement in statements:
            self._con.execute(statement)

    def query(self, sql: str, parameters: Parameters = None) -> pl.DataFrame:
        return self._con.execute(sql, parameters).pl()

    def close(self) -> None:
        self._con.close()


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
        SELECT category_id, municipality, md5(customer)::UUID AS customer_id, requested_at FROM (VALUES
            (1, 'OSLO', 'kari', TIMESTAMPTZ '2026-11-03 10:00:00Z'), (1, 'OSLO', 'per', TIMESTAMPTZ '2026-11-04 10:00:00Z'),
            (1, 'OSLO', 'kari', TIMESTAMPTZ '2026-11-05 10:00:00Z'), (1, 'OSLO', 'ola', TIMESTAMPTZ '2026-11-08 23:59:00Z'),
            (2, 'OSLO', 'kari', TIMESTAMPTZ '2026-11-04 10:00:00Z'), (2, 'OSLO', 'kari', TIMESTAMPTZ '2026-11-06 10:00:00Z'),
            (1, 'BODØ', 'bodil', TIMESTAMPTZ '2026-11-05 10:00:00Z'), (1, 'OSLO', 'nina', TIMESTAMPTZ '2026-11-10 10:00:00Z')
        ) AS t (category_id, municipality, customer, requested_at)
        """,
        """
        CREATE TABLE marts.fct_request_funnel AS
        SELECT md5(request)::UUID AS request_id, 1 AS category_id, 'OSLO' AS municipality,
            TIMESTAMPTZ '2026-11-03 10:00:00Z' AS requested_at,
            TIMESTAMPTZ '2026-11-03 10:00:00Z' + to_minutes(minutes) AS responded_at,
            minutes IS NOT NULL AS is_responded, booked AS is_accepted, booked AS is_booked, FALSE AS is_completed
        FROM (VALUES ('a', 30, FALSE), ('a', 10, TRUE), ('b', 50, FALSE), ('c', NULL, FALSE)) AS t (request, minutes, booked)
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
    assert matching.first_response(matching_copy, Choice(period=WEEK)) == 30.0  # median of 10 and 50


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
