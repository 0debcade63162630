"""Demand, supply, prices and seasons: published figures by category, municipality and month.

A figure is null where it is withheld; a sum over published figures is less than the market and is to be labelled so.
`category_id` None means every category; a municipality is given by its name in the copy, 'all' for the total.
"""

from datetime import date
from typing import Final

import polars as pl

from dashboards.access import Reads
from dashboards.queries.periods import Period
from publishing.metrics.reading import metric_sql

METRIC: Final = metric_sql("market_trends")
REQUESTS: Final = f"{METRIC['published_requests']} AS requests"
BOOKINGS: Final = f"{METRIC['published_bookings']} AS bookings"
SEARCHES: Final = f"{METRIC['published_searches']} AS searches"
PRICE: Final = f"{METRIC['median_price']} AS price_median_nok"

_CHOSEN = """
SELECT cell.*, category.name_en AS category
FROM marts.agg_market_published AS cell JOIN marts.dim_market_category AS category USING (category_id)
WHERE cell.month_start BETWEEN $first AND $last
    AND ($category_id IS NULL OR cell.category_id = $category_id)
"""


def months(copy: Reads) -> tuple[date, date] | None:
    """The oldest and the newest month of the copy; None when it has no row."""
    oldest, newest = copy.query("SELECT min(month_start), max(month_start) FROM marts.agg_market_published").row(0)
    return None if oldest is None else (oldest, newest)


def categories(copy: Reads) -> dict[str, int]:
    """English name -> id, by name."""
    return dict(copy.query("SELECT name_en, category_id FROM marts.dim_market_category ORDER BY name_en").iter_rows())


def municipalities(copy: Reads, category_id: int | None) -> list[str]:
    """Those with a published figure, the busiest first."""
    frame = copy.query(
        f"""
        SELECT municipality FROM marts.agg_market_published
        WHERE NOT is_total AND suppression_reason IS NULL AND ($category_id IS NULL OR category_id = $category_id)
        GROUP BY municipality ORDER BY {METRIC["published_bookings"]} DESC, municipality
        """,
        {"category_id": category_id},
    )
    return frame["municipality"].to_list()


def headline(copy: Reads, period: Period, category_id: int | None, municipality: str) -> dict[str, float | None]:
    """Sums of what is published in the period, and how many of the cells behind them are withheld."""
    frame = copy.query(
        f"""
        SELECT {REQUESTS}, {BOOKINGS}, {SEARCHES}, {METRIC["completed_share"]} AS completed_share,
            count(*) AS cells, count(suppression_reason) AS withheld_cells
        FROM ({_CHOSEN}) WHERE municipality = $municipality
        """,
        _parameters(period, category_id) | {"municipality": municipality},
    )
    return frame.row(0, named=True)


def latest_price(copy: Reads, period: Period, category_id: int, municipality: str) -> tuple[date | None, float | None]:
    """The newest month in the period with a published median price, and that price in NOK."""
    frame = copy.query(
        f"""
        SELECT month_start, {PRICE} FROM ({_CHOSEN})
        WHERE municipality = $municipality AND price_median_nok IS NOT NULL
        GROUP BY month_start ORDER BY month_start DESC LIMIT 1
        """,
        _parameters(period, category_id) | {"municipality": municipality},
    )
    return frame.row(0) if frame.height else (None, None)


def by_month(copy: Reads, period: Period, category_id: int | None, municipality: str) -> pl.DataFrame:
    """One row a month: sums of published figures, the price where one category is chosen, and withheld cells."""
    priced = f"{PRICE}," if category_id is not None else ""
    return copy.query(
        f"""
        SELECT month_start, {REQUESTS}, {BOOKINGS}, {SEARCHES}, {priced}
            count(*) AS cells, count(suppression_reason) AS withheld_cells
        FROM ({_CHOSEN}) WHERE municipality = $municipality
        GROUP BY month_start ORDER BY month_start
        """,
        _parameters(period, category_id) | {"municipality": municipality},
    )


def by_category(copy: Reads, period: Period, municipality: str) -> pl.DataFrame:
    """One row a category with a row in the period: sums of published figures, the most bookings first."""
    return copy.query(
        f"""
        SELECT category, {REQUESTS}, {BOOKINGS},
            count(*) AS cells, count(suppression_reason) AS withheld_cells
        FROM ({_CHOSEN}) WHERE municipality = $municipality
        GROUP BY category ORDER BY bookings DESC NULLS LAST, category
        """,
        _parameters(period, None) | {"municipality": municipality},
    )


def season(copy: Reads, category_id: int) -> pl.DataFrame:
    """One row a calendar month: the seasonal indices, 1 being an average month."""
    return copy.query(
        """
        SELECT calendar_month, months_observed, request_index, booking_index FROM marts.agg_market_season
        WHERE category_id = $category_id ORDER BY calendar_month
        """,
        {"category_id": category_id},
    )


def season_of_all(copy: Reads) -> pl.DataFrame:
    """One row a category and calendar month: the seasonal index of bookings."""
    return copy.query(
        """
        SELECT category.name_en AS category, calendar_month, months_observed, booking_index
        FROM marts.agg_market_season JOIN marts.dim_market_category AS category USING (category_id)
        ORDER BY category, calendar_month
        """
    )


def places(copy: Reads, period: Period, category_id: int, how_many: int) -> pl.DataFrame:
    """One row a municipality and month, for those with the most bookings in the period, at least some published."""
    return copy.query(
        f"""
        WITH chosen AS (FROM ({_CHOSEN}) WHERE NOT is_total),
        busiest AS (
            SELECT municipality, {METRIC["published_bookings"]} AS published_bookings FROM chosen GROUP BY municipality
            HAVING count(bookings) > 0 ORDER BY published_bookings DESC, municipality LIMIT $how_many
        )
        SELECT municipality, month_start, bookings, suppression_reason, published_bookings
        FROM chosen JOIN busiest USING (municipality)
        ORDER BY published_bookings DESC, municipality, month_start
        """,
        _parameters(period, category_id) | {"how_many": how_many},
    )


def cells(copy: Reads, period: Period, category_id: int | None, municipality: str | None) -> pl.DataFrame:
    """The cells themselves, newest first; municipality None means every one and the totals."""
    return copy.query(
        f"""
        SELECT category, municipality, month_start, suppression_reason, requests, bookings, completed_bookings,
            cancelled_bookings, searches, customers, providers, price_median_nok
        FROM ({_CHOSEN}) WHERE $municipality IS NULL OR municipality = $municipality
        ORDER BY month_start DESC, category, is_total DESC, municipality
        """,
        _parameters(period, category_id) | {"municipality": municipality},
    )


def forecast(copy: Reads, category_id: int, municipality: str) -> pl.DataFrame:
    """One row a week: the newest forecast of the requests with its 80 % and 95 % intervals, and the seasonal naive one beside
    it. Empty where the cell's requests are not told, or there is too little data."""
    return copy.query(
        """
        WITH chosen AS (
            FROM marts.fct_forecast WHERE category_id = $category_id AND municipality = $municipality
        )
        SELECT week_start, max(requests) FILTER (model = 'smoothing') AS requests,
            max(requests) FILTER (model = 'seasonal_naive') AS a_year_before,
            max(lower_80) FILTER (model = 'smoothing') AS lower_80, max(upper_80) FILTER (model = 'smoothing') AS upper_80,
            max(lower_95) FILTER (model = 'smoothing') AS lower_95, max(upper_95) FILTER (model = 'smoothing') AS upper_95,
            max(origin_week_start) AS origin_week_start
        FROM chosen WHERE origin_week_start = (SELECT max(origin_week_start) FROM chosen)
        GROUP BY week_start ORDER BY week_start
        """,
        {"category_id": category_id, "municipality": municipality},
    )


def _parameters(period: Period, category_id: int | None) -> dict[str, object]:
    return {"first": period.first, "last": period.last, "category_id": category_id}
