"""Demand, supply, prices and seasons: published figures by category, municipality and month.

A figure is null where it is withheld; a sum over published figures is less than the market and is to be labelled so.
`category_id` None means every category; a municipality is given by its name in the copy, 'all' for the total.
"""

from datetime import date

import polars as pl

from dashboards.access import Reads
from dashboards.queries import sums
from dashboards.queries.periods import Period

FIGURES = {
    "bookings": "Bookings",
    "requests": "Requests",
    "searches": "Searches",
    "completed_bookings": "Completed bookings",
    "cancelled_bookings": "Cancelled bookings",
    "price_median_nok": "Median price (NOK)",
}

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
        """
        SELECT municipality FROM marts.agg_market_published
        WHERE NOT is_total AND suppression_reason IS NULL AND ($category_id IS NULL OR category_id = $category_id)
        GROUP BY municipality ORDER BY sum(bookings) DESC, municipality
        """,
        {"category_id": category_id},
    )
    return frame["municipality"].to_list()


def headline(copy: Reads, period: Period, category_id: int | None, municipality: str) -> dict[str, float | None]:
    """Sums of what is published in the period, and how many of the cells behind them are withheld."""
    frame = copy.query(
        f"""
        SELECT {sums("requests", "bookings", "searches", "completed_bookings", "cancelled_bookings")},
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
        SELECT month_start, price_median_nok FROM ({_CHOSEN})
        WHERE municipality = $municipality AND price_median_nok IS NOT NULL ORDER BY month_start DESC LIMIT 1
        """,
        _parameters(period, category_id) | {"municipality": municipality},
    )
    return frame.row(0) if frame.height else (None, None)


def by_month(copy: Reads, period: Period, category_id: int | None, municipality: str) -> pl.DataFrame:
    """One row a month: sums of published figures, the price where one category is chosen, and withheld cells."""
    return copy.query(
        f"""
        SELECT month_start, {sums("requests", "bookings", "searches")},
            CASE WHEN $category_id IS NOT NULL THEN any_value(price_median_nok) END AS price_median_nok,
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
        SELECT category, {sums("requests", "bookings")},
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
            SELECT municipality, CAST(sum(bookings) AS BIGINT) AS published_bookings FROM chosen GROUP BY municipality
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


def _parameters(period: Period, category_id: int | None) -> dict[str, object]:
    return {"first": period.first, "last": period.last, "category_id": category_id}
