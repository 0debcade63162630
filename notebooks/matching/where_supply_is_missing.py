import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Where supply is missing")


@app.cell
def _():
    import altair as alt
    import great_tables as gt
    import marimo as mo
    import polars as pl

    from dashboards import wording
    from dashboards.for_notebooks import open_published_copy

    return alt, gt, mo, open_published_copy, pl, wording


@app.cell
def _(mo, open_published_copy):
    matching = open_published_copy("matching")
    mo.md(f"# Where supply is missing\n\n{matching.introduction()}")
    return (matching,)


@app.cell
def _(matching, mo, wording):
    first_week, last_week = matching.query(
        """
        WITH week AS (
            SELECT DISTINCT CAST(date_trunc('week', day) AS DATE) AS week_start FROM marts.agg_liquidity WHERE requests > 0
        )
        SELECT max(week_start) - 77 AS first_week, max(week_start) AS last_week
        FROM week, about WHERE week_start + INTERVAL 7 DAY <= about.built_at
        """
    ).row(0)
    period = {"first": first_week, "last": last_week}
    mo.md(
        f"All figures are of the twelve whole weeks from {wording.day(first_week)} to the week of {wording.day(last_week)}."
    )
    return (period,)


@app.cell
def _(mo):
    mo.md("""
    ## Which categories leave most requests unfilled?

    A request is filled when it led to a booking that was not cancelled, and unfilled when it expired or was cancelled without one;
    one that is still open is neither. Many requests with a middling fill rate leave
    more people without help than few requests with a poor one, so the table is ordered by the number left unfilled.
    """)
    return


@app.cell
def _(gt, matching, period):
    unfilled = matching.query(
        f"""
        WITH asked AS (
            SELECT category_id, count(DISTINCT customer_id) AS customers FROM marts.fct_request
            WHERE requested_at >= $first AND requested_at < CAST($last AS DATE) + 7 GROUP BY category_id
        ),
        unmet AS (
            SELECT category_id, {matching.metric["unfilled_requests"]} AS unfilled FROM marts.agg_unmet_need
            WHERE day >= $first AND day < CAST($last AS DATE) + 7 GROUP BY category_id
        ),
        liquidity AS (
            SELECT category_id, {matching.metric["requests"]} AS requests, {matching.metric["fill_rate"]} AS fill_rate,
                {matching.metric["requests_per_open_slot"]} AS requests_per_open_slot
            FROM marts.agg_liquidity WHERE day >= $first AND day < CAST($last AS DATE) + 7 GROUP BY category_id
        )
        SELECT category.name_en AS category, requests, unfilled, fill_rate, requests_per_open_slot
        FROM liquidity JOIN unmet USING (category_id) JOIN asked USING (category_id)
            JOIN marts.dim_category AS category USING (category_id)
        WHERE customers >= 3 ORDER BY unfilled DESC, category
        """,
        period,
    )
    (
        gt.GT(unfilled, rowname_col="category")
        .tab_header("Requests left unfilled, by category")
        .cols_label(
            requests="Requests",
            unfilled="Unfilled",
            fill_rate="Fill rate",
            requests_per_open_slot="Requests per open slot",
        )
        .fmt_integer(["requests", "unfilled"])
        .fmt_percent("fill_rate", decimals=0)
        .fmt_number("requests_per_open_slot", decimals=1)
        .data_color("fill_rate", palette=["#ecd9bd", "#f7f9f9", "#7fb3af"], domain=[0, 1])
        .sub_missing(missing_text="no open slot")
    )
    return


@app.cell
def _(mo):
    mo.md("""
    ## Does a quick answer go together with a booking?

    Requests by the time to their first answer. White numbers say how many requests there were.
    This is no proof that haste sells: easy requests are answered sooner.
    """)
    return


@app.cell
def _(alt, matching, period):
    by_answer = matching.query(
        f"""
        WITH request AS (
            SELECT *, minutes_to_first_response AS minutes FROM marts.fct_request
            WHERE requested_at >= $first AND requested_at < CAST($last AS DATE) + 7 AND candidate_count > 0
                AND is_responded = (minutes_to_first_response IS NOT NULL)
        )
        SELECT CASE WHEN minutes IS NULL THEN 'no answer' WHEN minutes <= 15 THEN 'up to 15 min'
                WHEN minutes <= 60 THEN '15 to 60 min' WHEN minutes <= 240 THEN '1 to 4 h' ELSE 'over 4 h' END AS answer,
            min(coalesce(minutes, 1e9)) AS position, count(*) AS requests, {matching.metric["booked_request_share"]} AS booked
        FROM request GROUP BY answer HAVING count(*) >= 3 ORDER BY position
        """,
        period,
    )
    _base = alt.Chart(by_answer, title="Share of requests that were booked, by the time to the first answer").encode(
        x=alt.X("answer:N", sort=by_answer["answer"].to_list(), title="First answer", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("booked:Q", title="Booked", axis=alt.Axis(format="%")),
        tooltip=["answer", "requests", alt.Tooltip("booked:Q", format=".1%")],
    )
    (
        _base.mark_bar(color="#0f6b66", size=48)
        + _base.mark_text(dy=-8).encode(text=alt.Text("booked:Q", format=".0%"))
        + _base.mark_text(dy=12, color="white").encode(text=alt.Text("requests:Q", format=",.0f"))
    ).properties(width=620, height=260, description="Bars: booked share by time to the first answer.")
    return


@app.cell
def _(mo):
    mo.md("""
    ## How much does the place in the list matter?

    Each provider that a request is shown to has a rank, the best first.
    """)
    return


@app.cell
def _(alt, matching, period):
    by_rank = matching.query(
        f"""
        SELECT rank_position, count(*) AS shown, {matching.metric["acceptance_rate"]} AS accepted,
            {matching.metric["booked_share_of_shown"]} AS booked
        FROM marts.fct_request_funnel
        WHERE shown_at >= $first AND shown_at < CAST($last AS DATE) + 7 AND rank_position BETWEEN 1 AND 10
        GROUP BY rank_position HAVING count(DISTINCT provider_id) >= 3 ORDER BY rank_position
        """,
        period,
    )
    _bars = alt.Chart(by_rank, title="Share that was booked, by place in the list").encode(
        x=alt.X("rank_position:O", title="Place in the list", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("booked:Q", title="Booked", axis=alt.Axis(format="%")),
        tooltip=[
            "rank_position",
            "shown",
            alt.Tooltip("booked:Q", format=".1%"),
            alt.Tooltip("accepted:Q", format=".1%"),
        ],
    )
    (
        _bars.mark_bar(color="#0f6b66", size=48)
        + _bars.mark_text(dy=-8).encode(text=alt.Text("booked:Q", format=".0%"))
    ).properties(width=620, height=240, description="Bars: booked share by rank position.")
    return


@app.cell
def _(mo):
    mo.md("""
    ## Where would one more provider help most?

    Category and municipality with the most unfilled requests, where at least three customers asked and the place is known.
    """)
    return


@app.cell
def _(gt, matching, period, pl, wording):
    gaps = matching.query(
        f"""
        WITH asked AS (
            SELECT category_id, municipality, count(DISTINCT customer_id) AS customers FROM marts.fct_request
            WHERE requested_at >= $first AND requested_at < CAST($last AS DATE) + 7 GROUP BY category_id, municipality
        ),
        unmet AS (
            SELECT category_id, municipality, {matching.metric["unfilled_requests"]} AS unfilled FROM marts.agg_unmet_need
            WHERE day >= $first AND day < CAST($last AS DATE) + 7 GROUP BY category_id, municipality
        ),
        liquidity AS (
            SELECT category_id, municipality, {matching.metric["requests"]} AS requests, {matching.metric["fill_rate"]} AS fill_rate
            FROM marts.agg_liquidity WHERE day >= $first AND day < CAST($last AS DATE) + 7 GROUP BY category_id, municipality
        )
        SELECT category.name_en AS category, municipality, requests, unfilled, fill_rate
        FROM liquidity JOIN unmet USING (category_id, municipality) JOIN asked USING (category_id, municipality)
            JOIN marts.dim_category AS category USING (category_id)
        WHERE municipality <> 'unknown' AND customers >= 3
        ORDER BY unfilled DESC, requests DESC, category, municipality LIMIT 12
        """,
        period,
    ).with_columns(pl.col("municipality").map_elements(wording.place, return_dtype=pl.String))
    (
        gt.GT(gaps)
        .tab_header("The twelve largest gaps")
        .cols_label(
            category="Category",
            municipality="Municipality",
            requests="Requests",
            unfilled="Unfilled",
            fill_rate="Fill rate",
        )
        .fmt_integer(["requests", "unfilled"])
        .fmt_percent("fill_rate", decimals=0)
    )
    return


@app.cell
def _(mo):
    mo.md("""
    ## What makes a provider be booked?

    How much one standard deviation of each feature adds to a provider's score, as it was learnt from the requests that came
    to an end. A feature that is set by hand, for want of requests to learn from, says so.
    """)
    return


@app.cell
def _(gt, matching):
    weights = matching.query(
        """
        SELECT text_en AS feature, weight, CASE WHEN is_learnt THEN 'learnt' ELSE 'set by hand' END AS origin
        FROM marts.dim_ranking_weight ORDER BY abs(weight) DESC
        """
    )
    (
        gt.GT(weights, rowname_col="feature")
        .tab_header("What a provider is ranked by")
        .cols_label(weight="Weight", origin="Origin")
        .fmt_number("weight", decimals=2)
    )
    return


if __name__ == "__main__":
    app.run()
