"""The market: what is asked for and booked, at what price, when in the year and where."""

from datetime import date

import polars as pl
import streamlit as st

from dashboards import figures, wording
from dashboards.access import Reads
from dashboards.layout import Metric, chart, chosen, empty, metrics, open_page, table
from dashboards.queries import market
from dashboards.queries.periods import MONTHS, Period, last_months
from dashboards.wording import ALL_PLACES

PLACES_SHOWN = 12


def page() -> None:
    copy, about = open_page(
        "The market",
        "What is asked for and booked on Leii, at what price, when in the year, and where.",
        "market_trends",
    )
    there = market.months(copy)
    if there is None:
        empty("No month has ended since the first data came in: there is nothing to publish yet.")
        return
    category, category_id, place, period = _filters(copy, *there)
    _headline(copy, period, category_id, place)
    st.caption(
        f"Sums of published figures only. Cells of fewer than {about.min_customers} customers or {about.min_providers} "
        "providers are withheld, and so is what would give them away: the whole market is larger than these sums."
    )
    _over_time(copy, period, category, category_id, place)
    if category_id is not None:
        _forecast(copy, category, category_id, place)
    _seasons(copy, category, category_id)
    if category_id is None:
        _categories(copy, period, place)
    else:
        _places(copy, period, category, category_id)
    _cells(copy, period, category_id, place)


def _filters(copy: Reads, oldest: date, newest: date) -> tuple[str, int | None, str, Period]:
    one, two, three = st.columns(3)
    with one:
        category, category_id = chosen("Category", market.categories(copy), "All categories")
    with two:
        places = [ALL_PLACES, *market.municipalities(copy, category_id)]
        place = st.selectbox("Municipality", places, format_func=wording.place)
    with three:
        months = st.selectbox("Period", list(MONTHS), index=1)
    return category, category_id, place, last_months(newest, oldest, MONTHS[months])


def _headline(copy: Reads, period: Period, category_id: int | None, place: str) -> None:
    found = market.headline(copy, period, category_id, place)
    when = f"{wording.month(period.first)} – {wording.month(period.last)}"
    cells, withheld = found["cells"] or 0, found["withheld_cells"] or 0
    shown = [
        Metric(key="market-requests", label="Requests", value=wording.whole(found["requests"]), period=when,
               explained="Requests made: the sum of the published figures."),
        Metric(key="market-bookings", label="Bookings", value=wording.whole(found["bookings"]), period=when,
               explained="Bookings made: the sum of the published figures."),
        Metric(key="market-completed", label="Completed", value=wording.share(found["completed_share"]), period=when,
               explained="Bookings of the period that have been completed since, over all bookings of the period."),
        _price(copy, period, category_id, place),
        Metric(key="market-withheld", label="Cells withheld", value=f"{withheld:,.0f} of {cells:,.0f}", period=when,
               explained="Cells of category and month behind these sums that are withheld to protect people."),
    ]  # fmt: skip
    metrics(shown)


def _price(copy: Reads, period: Period, category_id: int | None, place: str) -> Metric:
    explained = "Median price of the bookings made in the month, published from 10 booking customers on."
    if category_id is None:
        return Metric(key="market-price", label="Median price", value=wording.NOTHING, period="choose a category",
                      explained=explained)  # fmt: skip
    month, price = market.latest_price(copy, period, category_id, place)
    when = wording.month(month) if month else "withheld in the period"
    return Metric(key="market-price", label="Median price", value=wording.nok(price), period=when, explained=explained)


def _over_time(copy: Reads, period: Period, category: str, category_id: int | None, place: str) -> None:
    frame = market.by_month(copy, period, category_id, place)
    of = f"{category}, {wording.place(place)}"
    if frame["bookings"].drop_nulls().is_empty() and frame["requests"].drop_nulls().is_empty():
        empty(f"{of}: every month in the period is withheld, because too few people are behind its figures.")
        return
    withheld = int(frame["withheld_cells"].sum())
    chart(
        figures.series_by_month(
            frame,
            {"requests": "Requests", "bookings": "Bookings"},
            title=f"Requests and bookings: {of}",
            unit="Number a month",
        ),
        key="market-months",
        about_it=f"Published figures; {withheld} of {int(frame['cells'].sum())} cells behind the lines are withheld."
        if withheld
        else "Nothing behind these lines is withheld.",
    )
    if category_id is not None and frame["price_median_nok"].drop_nulls().len() > 1:
        chart(
            figures.series_by_month(
                frame, {"price_median_nok": "Median price"}, title=f"Median price: {of}", unit="NOK a booking"
            ),
            key="market-price",
            about_it="From prices to the nearest NOK 50; a month in which fewer than 10 customers booked has no point.",
        )


def _forecast(copy: Reads, category: str, category_id: int, place: str) -> None:
    frame = market.forecast(copy, category_id, place)
    of = f"{category}, {wording.place(place)}"
    if frame["requests"].drop_nulls().is_empty():
        empty(
            f"{of}: no forecast. It needs a year and two weeks of requests, and is told only where the newest edition tells the requests."
        )
        return
    origin = frame.row(0, named=True)["origin_week_start"]
    chart(
        figures.forecast(frame, title=f"Requests to expect: {of}"),
        key="market-forecast",
        about_it=f"As of the week of {wording.day(origin)}. The darker band should hold four weeks of five, "
        "the lighter nineteen of twenty; the dashed line is the same week a year before. Whole requests.",
    )


def _seasons(copy: Reads, category: str, category_id: int | None) -> None:
    explained = (
        "Mean of the calendar month over the mean of all calendar months, from published totals over all municipalities. "
        "No trend is taken out: a growing market shows as a slope. Blank: too few people for the totals to be published."
    )
    if category_id is None:
        frame = market.season_of_all(copy).drop_nulls("booking_index")
        if frame.height:
            chart(
                figures.seasonal_matrix(frame, title="Seasons: bookings by category"),
                key="market-season",
                about_it=explained,
            )
        return
    season = market.season(copy, category_id).drop_nulls("booking_index")
    if season.is_empty():
        empty(f"{category}: too few months are published to tell a season.")
        return
    chart(figures.seasonal_index(season, title=f"Season: {category}"), key="market-season", about_it=explained)


def _categories(copy: Reads, period: Period, place: str) -> None:
    frame = market.by_category(copy, period, place).drop_nulls("bookings")
    if frame.is_empty():
        return
    chart(
        figures.ranked_bars(
            frame, label="category", value="bookings", value_title="Bookings, published",
            title=f"Bookings by category: {wording.place(place)}",
            hover={"category": "Category", "cells": "Months with activity", "withheld_cells": "Of which withheld"},
        ),
        key="market-categories",
        about_it=f"{wording.month(period.first)} – {wording.month(period.last)}; withheld months count as nothing.",
    )  # fmt: skip


def _places(copy: Reads, period: Period, category: str, category_id: int) -> None:
    frame = market.places(copy, period, category_id, PLACES_SHOWN)
    if frame.is_empty():
        empty(f"{category}: no municipality has enough people in a month for its figures to be published.")
        return
    chart(
        figures.place_matrix(frame, title=f"Bookings by municipality and month: {category}"),
        key="market-places",
        about_it="Municipalities with a published figure in the period, the most bookings first. W: withheld; blank: no activity.",
    )


def _cells(copy: Reads, period: Period, category_id: int | None, place: str) -> None:
    frame = market.cells(copy, period, category_id, None if place == ALL_PLACES else place).with_columns(
        pl.col("municipality").map_elements(wording.place, return_dtype=pl.String),
        pl.col("suppression_reason")
        .map_elements(wording.suppression, return_dtype=pl.String, skip_nulls=False)
        .alias("status"),
    )
    with st.expander(f"Every published and withheld cell ({frame.height:,} rows)"):
        number = st.column_config.NumberColumn
        table(
            frame,
            {
                "month_start": st.column_config.DateColumn("Month", format="MMM YYYY"),
                "category": "Category",
                "municipality": "Municipality",
                "status": "Status",
                "requests": number("Requests", format="localized"),
                "bookings": number("Bookings", format="localized"),
                "searches": number("Searches", format="localized"),
                "customers": number("Customers", format="localized"),
                "providers": number("Providers", format="localized"),
                "price_median_nok": number("Median price (NOK)", format="localized"),
            },
            key="market-cells",
            height=420,
        )
        st.caption("An empty figure in a published row is withheld by itself, or rests on too few people (prices).")
