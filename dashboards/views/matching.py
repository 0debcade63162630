"""Matching: how requests find providers, and where supply is missing."""

from datetime import date

import polars as pl
import streamlit as st

from dashboards import figures, wording
from dashboards.access import About, Reads
from dashboards.layout import Metric, chart, chosen, empty, metrics, open_page, table
from dashboards.queries import matching
from dashboards.queries.matching import Choice
from dashboards.queries.periods import WEEKS, last_weeks
from publishing.metrics.withholding import ALL, Cell, withheld_cells

PLACES_SHOWN = 12


def page() -> None:
    copy, about = open_page("Matching", "How requests find providers, and where supply is missing.", "matching")
    there = matching.weeks(copy)
    if there is None:
        empty("No whole week with a request has passed yet.")
        return
    choice, of = _filters(copy, *there)
    total = matching.liquidity(copy, choice, [])
    if (total["customers"].item() or 0) < about.min_customers:
        empty(f"{of}: fewer than {about.min_customers} customers in the period, too few to show figures about.")
        return
    _headline(copy, about, choice, total)
    chart(
        figures.funnel(matching.funnel(copy, choice), title=f"From request to job: {of}"),
        key="matching-funnel",
        about_it="Requests of the period by how far they have come since, with the share of all requests made. "
        "Bookings that were cancelled later are among the booked, but not among the filled.",
    )
    _over_time(copy, about, choice, of)
    _places(copy, about, choice)
    _unmet_need(copy, about, choice, of)
    _exposure(copy, about, choice)
    _cells(copy, about, choice)


def _filters(copy: Reads, oldest: date, newest: date) -> tuple[Choice, str]:
    one, two, three = st.columns(3)
    with one:
        category, category_id = chosen("Category", matching.categories(copy), "All categories")
    with two:
        place = st.selectbox("Municipality", [None, *matching.municipalities(copy)], format_func=_place)
    with three:
        weeks = st.selectbox("Period", list(WEEKS))
    period = last_weeks(newest, oldest, WEEKS[weeks])
    return Choice(period=period, category_id=category_id, municipality=place), f"{category}, {_place(place)}"


def _place(name: str | None) -> str:
    return wording.place(wording.ALL_PLACES if name is None else name)


def _headline(copy: Reads, about: About, choice: Choice, total: pl.DataFrame) -> None:
    found = total.row(0, named=True)
    used = matching.utilisation(copy, choice, by_week=False).row(0, named=True)
    when = wording.days(choice.period.first, choice.period.last)
    response = matching.first_response(copy, choice)
    utilisation = used["utilisation"] if used["providers"] >= about.min_providers else None
    metrics(
        [
            Metric(key="matching-requests", label="Requests", value=wording.whole(found["requests"]), period=when,
                   explained="Requests made in the period."),
            Metric(key="matching-fill-rate", label="Fill rate", value=wording.share(found["fill_rate"]), period=when,
                   explained="Requests that led to a booking that was not cancelled, over all requests."),
            Metric(key="matching-response", label="First answer",
                   value=wording.minutes(response["median_minutes"]), period=when,
                   explained="Median time from the request to the first provider's answer, over the requests that were answered; "
                   f"one in ten waits longer than {wording.minutes(response['p90_minutes'])}. Times are known to 5 minutes."),
            Metric(key="matching-utilisation", label="Utilisation", value=wording.share(utilisation), period=when,
                   explained="Booked minutes over offered minutes of the providers who live in the municipality. "
                   "The category does not narrow it: hours are offered for all that a provider does."),
            Metric(key="matching-tightness", label="Requests per slot",
                   value=wording.ratio(found["requests_per_open_slot"]), period=when,
                   explained="Requests over open slots: demand over supply. A slot counts in each category that its provider offers."),
        ]
    )  # fmt: skip


def _over_time(copy: Reads, about: About, choice: Choice, of: str) -> None:
    frame = _without_small(matching.liquidity(copy, choice, ["week_start"]), about)
    used = matching.utilisation(copy, choice, by_week=True).with_columns(
        pl.when(pl.col("providers") >= about.min_providers).then("utilisation").alias("utilisation")
    )
    rates = frame.select("week_start", "fill_rate").join(
        used.select("week_start", "utilisation"), on="week_start", how="left", maintain_order="left"
    )
    response = matching.first_response_by_week(copy, choice).with_columns(
        pl.when(pl.col("answered") >= about.min_customers).then(name).alias(name)
        for name in ("median_minutes", "p90_minutes")
    )
    left, right = st.columns(2)
    with left:
        chart(
            figures.series_by_week(
                frame,
                {"requests": "Requests", "open_slots": "Open slots"},
                title="Demand and supply",
                unit="Number a week",
            ),
            key="matching-supply",
            about_it=f"{of}. A gap: fewer than {about.min_customers} customers, or {about.min_providers} providers.",
        )
    with right:
        chart(
            figures.series_by_week(
                rates, {"fill_rate": "Fill rate", "utilisation": "Utilisation"}, title="Fill rate and utilisation",
                unit="Share", number_format=".0%",
            ),
            key="matching-rates",
            about_it=of,
        )  # fmt: skip
    chart(
        figures.series_by_week(
            response,
            {"median_minutes": "Median", "p90_minutes": "90th percentile"},
            title="Time to the first answer",
            unit="Minutes",
        ),
        key="matching-response",
        about_it=of,
    )


def _places(copy: Reads, about: About, choice: Choice) -> None:
    if choice.municipality is not None:
        return
    places = matching.busiest_places(copy, choice, PLACES_SHOWN)
    frame = _without_small(
        matching.named(copy, matching.liquidity(copy, choice, ["category_id", "municipality"])), about
    ).filter(pl.col("municipality").is_in(places), pl.col("all_requests") > 0)
    if frame["fill_rate"].drop_nulls().is_empty():
        empty("No cell of category and municipality has enough customers in the period to be shown.")
        return
    chart(
        figures.fill_rate_matrix(frame, places, title="Fill rate by category and municipality"),
        key="matching-places",
        about_it=f"W: fewer than {about.min_customers} customers. Blank: no request in the period.",
    )


def _unmet_need(copy: Reads, about: About, choice: Choice, of: str) -> None:
    st.subheader("Unmet need")
    total = matching.unmet_need(copy, choice, []).row(0, named=True)
    when = wording.days(choice.period.first, choice.period.last)
    metrics(
        [
            Metric(key="matching-unfilled", label="Unfilled requests", value=wording.whole(total["unfilled_requests"]),
                   period=when, explained="Requests that expired or were cancelled without a booking that stands."),
            Metric(key="matching-unfilled-share", label="Of all requests", value=wording.share(total["unfilled_share"]),
                   period=when, explained="Unfilled requests over all requests; one that is still open is neither filled nor unfilled."),
            Metric(key="matching-unshown", label="Shown to nobody", value=wording.whole(total["unshown_requests"]), period=when,
                   explained="Requests that were shown to no provider."),
            Metric(key="matching-zero-results", label="Found nobody",
                   value=wording.share(total["zero_result_share"]), period=when,
                   explained="Searches that found nobody, over all searches whose category is known."),
        ]
    )  # fmt: skip
    if choice.category_id is not None:
        return
    every = matching.named(copy, matching.unmet_need(copy, choice, ["category_id"]))
    people: dict[Cell, int] = {(name, ALL): asked for name, asked in every.select("category", "customers").rows()}
    hidden = withheld_cells(people | {(ALL, ALL): total["customers"]}, about.min_customers)
    frame = every.filter(~pl.col("category").is_in([name for name, _ in hidden if name is not ALL])).sort(
        "unfilled_requests", "category", descending=[True, False]
    )
    if frame.is_empty():
        return
    withheld = every.height - frame.height
    chart(
        figures.ranked_bars(
            frame.with_columns(pl.col("unfilled_share").map_elements(wording.share, return_dtype=pl.String).alias("share")),
            label="category", value="unfilled_requests", value_title="Unfilled requests", title=f"Requests left unfilled: {of}",
            hover={"category": "Category", "share": "Of its requests", "zero_result_searches": "Searches without a result"},
        ),
        key="matching-unmet",
        about_it=f"{withheld} categories are left out: too few customers, or what would give such a category away."
        if withheld
        else "Requests that expired or were cancelled without a booking that stands.",
    )  # fmt: skip


def _exposure(copy: Reads, about: About, choice: Choice) -> None:
    """Newcomers are told of only where there are providers enough, newcomers among them too."""
    st.subheader("Newcomers")
    found = {row["kind"]: row for row in matching.exposure(copy, choice).iter_rows(named=True)}
    told = {
        kind: wording.share(row["share"])
        if min(row["providers"], row["newcomers"]) >= about.min_providers
        else wording.NOTHING
        for kind, row in found.items()
    }
    metrics(
        [
            Metric(key="matching-newcomers-shown", label="Among those shown", value=told["shown"],
                   period=wording.days(choice.period.first, choice.period.last),
                   explained="Share of the places in the app's lists that went to providers with fewer than 5 ended requests behind "
                   "them, over requests that have come to an end."),
            Metric(key="matching-newcomers-proposed", label="Among those proposed", value=told["proposed"],
                   period=f"open requests, {wording.day(about.built_at)}",
                   explained="Share of the places in the proposed ranking of open requests that go to such providers. Every fifth "
                   "place is kept for them, where there are any. The ranking proposes; the app's lists are not made by it."),
        ]
    )  # fmt: skip
    st.caption(f"A dash: fewer than {about.min_providers} providers, or newcomers among them, or no request.")


def _cells(copy: Reads, about: About, choice: Choice) -> None:
    frame = _without_small(
        matching.named(copy, matching.liquidity(copy, choice, ["week_start", "category_id", "municipality"])), about
    )
    frame = frame.filter(pl.col("all_requests") > 0).with_columns(
        pl.col("municipality").map_elements(wording.place, return_dtype=pl.String),
        pl.when("is_withheld").then(pl.lit("Withheld: too few people")).otherwise(pl.lit("Shown")).alias("status"),
    )
    with st.expander(f"Liquidity by category, municipality and week ({frame.height:,} rows)"):
        number = st.column_config.NumberColumn
        table(
            frame.sort("week_start", "category", "municipality", descending=[True, False, False]),
            {
                "week_start": st.column_config.DateColumn("Week of", format="D MMM YYYY"),
                "category": "Category",
                "municipality": "Municipality",
                "status": "Status",
                "searches": number("Searches", format="localized"),
                "requests": number("Requests", format="localized"),
                "filled_requests": number("Filled", format="localized"),
                "fill_rate": number("Fill rate", format="percent"),
                "open_slots": number("Open slots", format="localized"),
                "requests_per_open_slot": number("Requests per open slot", format="%.2f"),
            },
            key="matching-cells",
            height=420,
        )


def _without_small(frame: pl.DataFrame, about: About) -> pl.DataFrame:
    """Figures of rows with too few customers or providers become null; `is_withheld` says so."""
    few = pl.col("customers") < about.min_customers
    few_providers = (pl.col("open_slots") > 0) & (pl.col("providers_at_least") < about.min_providers)
    supply = ["open_slots", "requests_per_open_slot"]
    demand = ["searches", "requests", "filled_requests", "fill_rate", "requests_per_open_slot"]
    return (
        frame.with_columns(pl.col("requests").alias("all_requests"), few.alias("is_withheld"))
        .with_columns(pl.when(~few_providers).then(pl.col(name)).alias(name) for name in supply)
        .with_columns(pl.when(~few).then(pl.col(name)).alias(name) for name in demand)
    )
