import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Seasons and prices")


@app.cell
def _():
    import altair as alt
    import great_tables as gt
    import marimo as mo

    from dashboards import figures
    from dashboards.for_notebooks import open_published_copy

    return alt, figures, gt, mo, open_published_copy


@app.cell
def _(mo, open_published_copy):
    market = open_published_copy("market_trends")
    mo.md(f"# Seasons and prices\n\n{market.introduction()}")
    return (market,)


@app.cell
def _(mo):
    mo.md("""
    ## How much of the market can be told?

    Cells of too few people are withheld, cells of which one or two providers have nearly all the turnover, and whatever would
    give a withheld cell away. Whatever is summed below is a sum of what is published, and smaller than the market.
    """)
    return


@app.cell
def _(gt, market):
    told = market.query(
        """
        SELECT CASE WHEN is_total THEN 'Totals over municipalities' ELSE 'Single municipalities' END AS kind,
            count(*) AS cells, count(*) FILTER (suppression_reason IS NULL) AS published,
            count(*) FILTER (suppression_reason = 'too_few_people') AS too_few_people,
            count(*) FILTER (suppression_reason IN ('p_percent', 'dominance')) AS few_providers_have_all,
            count(*) FILTER (suppression_reason = 'would_reveal_a_part') AS would_reveal_a_part
        FROM marts.agg_market_published GROUP BY kind ORDER BY kind
        """
    )
    (
        gt.GT(told, rowname_col="kind")
        .tab_header("Cells of category, municipality and month")
        .cols_label(
            cells="Cells",
            published="Published",
            too_few_people="Too few people",
            few_providers_have_all="One or two providers have nearly all",
            would_reveal_a_part="Would reveal a part",
        )
        .fmt_integer(["cells", "published", "too_few_people", "few_providers_have_all", "would_reveal_a_part"])
    )
    return


@app.cell
def _(mo):
    mo.md("""
    ## Which categories grow?

    The last six months against the same six months a year before, month by month where both totals are published.
    """)
    return


@app.cell
def _(gt, market):
    growth = market.query(
        f"""
        WITH total AS (FROM marts.agg_market_published WHERE is_total AND bookings IS NOT NULL),
        newest AS (SELECT max(month_start) AS month_start FROM marts.agg_market_published),
        pair AS (
            SELECT now.category_id, now.bookings, before.bookings AS bookings_before
            FROM total AS now JOIN total AS before
                ON before.category_id = now.category_id AND before.month_start = now.month_start - INTERVAL 12 MONTH
            CROSS JOIN newest WHERE now.month_start > newest.month_start - INTERVAL 6 MONTH
        )
        SELECT category.name_en AS category, count(*) AS months, CAST(sum(bookings_before) AS BIGINT) AS before,
            {market.metric["published_bookings"]} AS now, sum(bookings) / sum(bookings_before) - 1 AS change
        FROM pair JOIN marts.dim_market_category AS category USING (category_id)
        GROUP BY category.name_en ORDER BY change DESC
        """
    )
    (
        gt.GT(growth, rowname_col="category")
        .tab_header("Published bookings, the last six months against a year before")
        .cols_label(months="Months compared", before="A year before", now="Now", change="Change")
        .fmt_integer(["months", "before", "now"])
        .fmt_percent("change", decimals=0, force_sign=True)
    )
    return


@app.cell
def _(mo):
    mo.md("""
    ## When is each category's season?

    The index is the mean of a calendar month over the mean of all of them, from published totals. With two years of data an
    odd summer still shows; a growing market shows as a slope.
    """)
    return


@app.cell
def _(figures, market):
    seasons = market.query(
        """
        SELECT category.name_en AS category, calendar_month, booking_index
        FROM marts.agg_market_season JOIN marts.dim_market_category AS category USING (category_id)
        WHERE booking_index IS NOT NULL ORDER BY category, calendar_month
        """
    )
    figures.seasonal_matrix(seasons, title="Bookings by category and calendar month, 1 = an average month")
    return


@app.cell
def _(mo):
    mo.md("""
    ## What does a job cost, and does it move?

    Median price of a booking by quarter, over the months that are published (from ten booking customers on).
    """)
    return


@app.cell
def _(alt, market):
    prices = market.query(
        f"""
        SELECT category.name_en AS category, CAST(date_trunc('quarter', month_start) AS DATE) AS quarter_start,
            CAST(year(month_start) AS VARCHAR) || ' Q' || quarter(month_start) AS quarter,
            {market.metric["median_price"]} AS price_nok
        FROM marts.agg_market_published JOIN marts.dim_market_category AS category USING (category_id)
        WHERE is_total AND price_median_nok IS NOT NULL GROUP BY ALL ORDER BY category, quarter_start
        """
    )
    _lines = alt.Chart(prices).encode(
        x=alt.X("quarter:O", title=None, axis=alt.Axis(labelAngle=-45)),
        y=alt.Y("price_nok:Q", title="NOK", scale=alt.Scale(zero=False)),
        tooltip=["category", "quarter", alt.Tooltip("price_nok:Q", format=",.0f", title="Median price (NOK)")],
    )
    (
        (_lines.mark_line(color="#0f6b66") + _lines.mark_point(color="#0f6b66", filled=True))
        .properties(width=180, height=110)
        .facet(facet=alt.Facet("category:N", title=None), columns=3)
        .resolve_scale(y="independent")
        .properties(
            title="Median price of a booking, NOK", description="Small lines: median price by quarter, one a category."
        )
    )
    return


if __name__ == "__main__":
    app.run()
