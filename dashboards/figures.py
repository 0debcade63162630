"""Charts as pure functions: a Polars frame in, an Altair chart out.

Each has a title, axis titles with units and a description for those who do not see it, and tells its series apart by
shape, dash or text as well as by colour. Frames come from `dashboards.queries`.
"""

from typing import Any, Final, TypeAlias

import altair as alt
import polars as pl

from dashboards.wording import place, words

Chart: TypeAlias = alt.Chart | alt.LayerChart | alt.FacetChart

INK: Final = "#1d2b33"
TEAL: Final = "#0f6b66"
AMBER: Final = "#b4570c"
SAND: Final = "#e3a857"
BLUE: Final = "#2d5fa6"
QUIET: Final = "#8a99a0"
PALE: Final = "#e3eae9"

MONTH_NAMES: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_FONT: Final = "'Source Sans', 'Source Sans 3', sans-serif"
_MOST_TICKS: Final = 12


def series_by_month(frame: pl.DataFrame, names: dict[str, str], *, title: str, unit: str) -> Chart:
    """Lines over months. `names`: column -> what it is called; a month without a published figure leaves a gap."""
    return _lines(frame, "month_start", names, title=title, unit=unit, axis_format="%b %Y", hover=("Month", "%B %Y"))


def series_by_week(
    frame: pl.DataFrame, names: dict[str, str], *, title: str, unit: str, number_format: str = ",.0f"
) -> Chart:
    """Lines over weeks; like `series_by_month`."""
    return _lines(
        frame,
        "week_start",
        names,
        title=title,
        unit=unit,
        axis_format="%-d %b",
        hover=("Week of", "%-d %b %Y"),
        number_format=number_format,
    )


def forecast(frame: pl.DataFrame, *, title: str) -> Chart:
    """The forecast by week with its bands of 80 and 95 %, and the same week a year before as a dashed line."""
    base = alt.Chart(frame).encode(x=alt.X("week_start:T", title=None, axis=_time_axis(frame["week_start"], "%-d %b")))
    bands = [
        base.mark_area(color=TEAL, opacity=opacity).encode(
            y=alt.Y(f"lower_{share}:Q", title="Requests a week", scale=alt.Scale(zero=True)), y2=f"upper_{share}:Q"
        )
        for share, opacity in ((95, 0.15), (80, 0.25))
    ]
    before = base.mark_line(color=QUIET, strokeDash=[4, 3]).encode(y="a_year_before:Q")
    line = base.mark_line(color=TEAL, strokeWidth=2).encode(y="requests:Q")
    points = base.mark_point(color=TEAL, filled=True, size=46, opacity=1).encode(
        y="requests:Q",
        tooltip=[
            alt.Tooltip("week_start:T", title="Week of", format="%-d %b %Y"),
            alt.Tooltip("requests:Q", title="Requests expected", format=",.0f"),
            *(
                alt.Tooltip(f"{end}_{share}:Q", title=f"{share} %, {end} end", format=",.0f")
                for share in (80, 95)
                for end in ("lower", "upper")
            ),
            alt.Tooltip("a_year_before:Q", title="The same week a year before", format=",.0f"),
        ],
    )
    text = "The forecast of requests by week, with intervals of 80 and 95 % and the same week a year before."
    return _finished(alt.layer(*bands, before, line, points), title, text, height=260)


def seasonal_index(frame: pl.DataFrame, *, title: str) -> Chart:
    """Bars by calendar month around the average month, 1."""
    named = _with_month_names(frame)
    base = alt.Chart(named).encode(x=alt.X("month:N", sort=list(MONTH_NAMES), title="Calendar month", axis=_upright()))
    bars = base.mark_bar(size=18, cornerRadiusEnd=2).encode(
        y=alt.Y("booking_index:Q", title="Index of bookings (1 = an average month)"),
        color=alt.condition("datum.booking_index >= 1", alt.value(TEAL), alt.value(QUIET)),
        tooltip=[
            alt.Tooltip("month:N", title="Calendar month"),
            alt.Tooltip("booking_index:Q", title="Bookings, index", format=".2f"),
            alt.Tooltip("request_index:Q", title="Requests, index", format=".2f"),
            alt.Tooltip("months_observed:Q", title="Months it rests on"),
        ],
    )
    labels = base.mark_text(dy=-7, color=INK, fontSize=11).encode(
        y="booking_index:Q", text=alt.Text("booking_index:Q", format=".1f")
    )
    average = alt.Chart(pl.DataFrame({"index": [1.0]})).mark_rule(color=INK, strokeDash=[4, 3]).encode(y="index:Q")
    chart = alt.layer(bars, labels, average)
    return _finished(chart, title, "Bars of the seasonal index of bookings by calendar month.", height=280)


def seasonal_matrix(frame: pl.DataFrame, *, title: str) -> Chart:
    """Category × calendar month, with the index as a number in each cell."""
    named, most = _with_month_names(frame), max(1.5, _largest(frame["booking_index"]))
    return _matrix(
        named, x="month", x_title="Calendar month", x_sort=list(MONTH_NAMES), y="category", y_title="Category",
        value="booking_index", value_title="Index of bookings", number_format=".1f", title=title,
        legend="Index (1 = average)", scheme=alt.Scale(domain=[0, 1, most], range=["#d9cfc0", "#f7f9f9", TEAL], interpolate="rgb"),
        white_from=1 + 0.6 * (most - 1),
    )  # fmt: skip


def place_matrix(frame: pl.DataFrame, *, title: str) -> Chart:
    """Municipality × month: bookings as a number, or W where they are withheld."""
    named = frame.with_columns(
        pl.col("municipality").map_elements(place, return_dtype=pl.String).alias("place"),
        pl.col("month_start").dt.strftime("%b %Y").alias("month"),
        pl.col("suppression_reason").is_not_null().alias("is_withheld"),
    )
    return _matrix(
        named, x="month", x_title="Month", x_sort=_in_order(named.sort("month_start")["month"]),
        y="place", y_title="Municipality", y_sort=_in_order(named["place"]),
        value="bookings", value_title="Bookings", number_format=",.0f", title=title, legend="Bookings",
        scheme=alt.Scale(range=["#eef5f4", TEAL]), white_from=0.6 * _largest(named["bookings"]),
    )  # fmt: skip


def fill_rate_matrix(frame: pl.DataFrame, places: list[str], *, title: str) -> Chart:
    """Category × municipality: the fill rate in per cent, or W where there are too few people."""
    named = frame.with_columns(pl.col("municipality").map_elements(place, return_dtype=pl.String).alias("place"))
    return _matrix(
        named, x="place", x_title="Municipality, most requests first", x_sort=[place(name) for name in places],
        y="category", y_title="Category", value="fill_rate", value_title="Fill rate", number_format=".0%", title=title,
        legend="Fill rate", scheme=alt.Scale(domain=[0, 0.5, 1], range=["#ecd9bd", "#f7f9f9", TEAL], interpolate="rgb"), white_from=0.8,
    )  # fmt: skip


def funnel(frame: pl.DataFrame, *, title: str) -> Chart:
    """One bar a stage, with the number and its share of all requests."""
    labelled = frame.with_columns(
        pl.format("{}  ({} %)", pl.col("requests").map_elements("{:,}".format, return_dtype=pl.String),
                  (100 * pl.col("share")).round(0).cast(pl.Int64)).alias("label")
    )  # fmt: skip
    stages = labelled["stage"].to_list()
    most = max(1, int(labelled["requests"].to_list()[0])) if labelled.height else 1
    base = alt.Chart(labelled).encode(
        y=alt.Y("stage:N", sort=stages, title=None, axis=alt.Axis(labelLimit=200, ticks=False, domain=False)),
        x=alt.X(
            "requests:Q", title="Requests", scale=alt.Scale(domain=[0, most * 1.18], nice=False), axis=_few_ticks()
        ),
    )
    bars = base.mark_bar(color=TEAL, cornerRadiusEnd=3, height=22).encode(
        tooltip=[
            alt.Tooltip("stage:N", title="Stage"),
            alt.Tooltip("requests:Q", title="Requests", format=",.0f"),
            alt.Tooltip("share:Q", title="Share of all", format=".1%"),
        ]
    )
    labels = base.mark_text(align="left", dx=6, color=INK).encode(text="label:N")
    text = "; ".join(f"{row['stage']}: {row['label']}" for row in labelled.iter_rows(named=True))
    return _finished(alt.layer(bars, labels), title, f"Funnel. {text}.", height=240)


def ranked_bars(
    frame: pl.DataFrame, *, label: str, value: str, value_title: str, title: str, hover: dict[str, str] | None = None
) -> Chart:
    """Horizontal bars in the frame's order, with their numbers. `hover`: column -> title of what a pointer shows."""
    names = frame[label].to_list()
    most = max([1, *frame[value].drop_nulls().to_list()])
    base = alt.Chart(frame).encode(
        y=alt.Y(f"{label}:N", sort=names, title=None, axis=alt.Axis(labelLimit=420, ticks=False, domain=False)),
        x=alt.X(
            f"{value}:Q", title=value_title, scale=alt.Scale(domain=[0, most * 1.12], nice=False), axis=_few_ticks()
        ),
    )
    told = "; ".join(f"{row[label]}: {row[value] or 0:,}" for row in frame.iter_rows(named=True))
    tooltips = [alt.Tooltip(f"{column}:N", title=name) for column, name in (hover or {label: value_title}).items()]
    bars = base.mark_bar(color=TEAL, cornerRadiusEnd=3).encode(
        tooltip=[*tooltips, alt.Tooltip(f"{value}:Q", title=value_title, format=",.0f")]
    )
    labels = base.mark_text(align="left", dx=5, color=INK).encode(text=alt.Text(f"{value}:Q", format=",.0f"))
    return _finished(
        alt.layer(bars, labels), title, f"Bars of {value_title}. {told}.", height=max(150, 25 * frame.height + 40)
    )


def cluster_sizes(frame: pl.DataFrame, *, title: str) -> Chart:
    """How many clusters there are of each size; those with a banned account stand beside the others."""
    named = frame.with_columns(
        pl.when("has_banned")
        .then(pl.lit("Somebody in it is banned"))
        .otherwise(pl.lit("Nobody in it is banned"))
        .alias("kind")
    )
    kinds = ["Nobody in it is banned", "Somebody in it is banned"]
    chart = (
        alt.Chart(named)
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=alt.X("accounts:O", title="Accounts in the cluster", axis=_upright()),
            y=alt.Y("clusters:Q", title="Clusters", axis=alt.Axis(tickMinStep=1)),
            color=alt.Color("kind:N", title=None, scale=alt.Scale(domain=kinds, range=[TEAL, SAND]), legend=_top()),
            xOffset=alt.XOffset("kind:N", sort=kinds),
            tooltip=[
                alt.Tooltip("accounts:Q", title="Accounts in the cluster"),
                alt.Tooltip("clusters:Q", title="Clusters"),
                alt.Tooltip("kind:N", title="Banned"),
            ],
        )
    )
    return _finished(chart, title, "Bars: the number of clusters by how many accounts they have.", height=260)


def scores(frame: pl.DataFrame, *, title: str) -> Chart:
    """How many flags there are by score in steps of 0.05; recommended actions differ in lightness and follow from the score."""
    named = frame.with_columns(pl.col("recommended_action").map_elements(words, return_dtype=pl.String).alias("action"))
    chart = (
        alt.Chart(named)
        .mark_bar()
        .encode(
            x=alt.X("score:Q", bin=alt.Bin(step=0.05, extent=[0.5, 1.0]), title="Score", axis=alt.Axis(format=".2f")),
            y=alt.Y("count():Q", title="Flags", axis=alt.Axis(tickMinStep=1)),
            color=alt.Color(
                "action:N", title=None, legend=_top(),
                scale=alt.Scale(domain=["Review", "Block and review"], range=[TEAL, SAND]),
            ),
            order=alt.Order("action:N", sort="descending"),
            tooltip=[
                alt.Tooltip("count():Q", title="Flags"),
                alt.Tooltip("action:N", title="Recommended"),
            ],
        )
    )  # fmt: skip
    return _finished(chart, title, "Bars: the number of flags by score.", height=260)


def _lines(
    frame: pl.DataFrame,
    time: str,
    names: dict[str, str],
    *,
    title: str,
    unit: str,
    axis_format: str,
    hover: tuple[str, str],
    number_format: str = ",.0f",
) -> Chart:
    long = frame.select(time, *(pl.col(column).cast(pl.Float64).alias(name) for column, name in names.items())).unpivot(
        index=time, variable_name="series", value_name="value"
    )
    order = list(names.values())
    colours, dashes = [TEAL, AMBER, BLUE][: len(order)], [[1, 0], [6, 3], [2, 2]][: len(order)]
    shapes = ["circle", "square", "triangle-up"][: len(order)]
    legend = _top() if len(order) > 1 else None
    base = alt.Chart(long).encode(
        x=alt.X(f"{time}:T", title=None, axis=_time_axis(frame[time], axis_format)),
        y=alt.Y("value:Q", title=unit, scale=alt.Scale(zero=True), axis=alt.Axis(format=number_format)),
        color=alt.Color("series:N", title=None, scale=alt.Scale(domain=order, range=colours), legend=legend),
    )
    line = base.mark_line(strokeWidth=2).encode(
        strokeDash=alt.StrokeDash("series:N", scale=alt.Scale(domain=order, range=dashes), legend=legend)
    )
    points = base.mark_point(filled=True, size=46, opacity=1).encode(
        shape=alt.Shape("series:N", scale=alt.Scale(domain=order, range=shapes), legend=legend),
        tooltip=[
            alt.Tooltip(f"{time}:T", title=hover[0], format=hover[1]),
            alt.Tooltip("series:N", title="Figure"),
            alt.Tooltip("value:Q", title=unit, format=number_format),
        ],
    )
    return _finished(alt.layer(line, points), title, f"Lines over time: {', '.join(order)}; {unit}.", height=280)


def _matrix(
    frame: pl.DataFrame, *, x: str, x_title: str, x_sort: list[str], y: str, y_title: str, value: str, value_title: str,
    number_format: str, title: str, legend: str, scheme: alt.Scale, white_from: float, y_sort: list[str] | None = None,
) -> Chart:  # fmt: skip
    """Cells with their numbers, in white from a value on where the colour is dark. A withheld cell is grey and says W."""
    shown = frame if "is_withheld" in frame.columns else frame.with_columns(pl.lit(False).alias("is_withheld"))
    base = alt.Chart(shown).encode(
        x=alt.X(f"{x}:N", sort=x_sort, title=x_title, axis=alt.Axis(labelAngle=-40, labelLimit=140, ticks=False)),
        y=alt.Y(f"{y}:N", sort=y_sort or "ascending", title=None, axis=alt.Axis(labelLimit=200, ticks=False)),
        tooltip=[
            alt.Tooltip(f"{y}:N", title=y_title),
            alt.Tooltip(f"{x}:N", title=x_title.split(",")[0]),
            alt.Tooltip(f"{value}:Q", title=value_title, format=number_format),
            alt.Tooltip("is_withheld:N", title="Withheld"),
        ],
    )
    empty = base.mark_rect(color="#eceff0", stroke="white", strokeWidth=2)
    full = (
        base.transform_filter(f"isValid(datum.{value})")
        .mark_rect(stroke="white", strokeWidth=2)
        .encode(color=alt.Color(f"{value}:Q", title=legend, scale=scheme, legend=alt.Legend(format=number_format)))
    )
    numbers = (
        base.transform_filter(f"isValid(datum.{value})")
        .mark_text(fontSize=11)
        .encode(
            text=alt.Text(f"{value}:Q", format=number_format),
            color=alt.condition(f"datum.{value} > {white_from}", alt.value("white"), alt.value(INK)),
        )
    )
    withheld = base.transform_filter("datum.is_withheld").mark_text(text="W", fontSize=10, color="#5d6b72")
    rows = shown[y].n_unique() if shown.height else 1
    chart = alt.layer(empty, full, numbers, withheld)
    return _finished(chart, title, f"{value_title} by {y_title} and {x_title}; W: withheld.", height=26 * rows + 90)


def _finished(chart: Chart, title: str, description: str, *, height: int) -> Chart:
    anchored = alt.TitleParams(title, anchor="start", fontSize=15, fontWeight=600, color=INK, offset=12)
    sized = chart.properties(
        title=anchored, description=description, height=height, width="container", padding={"bottom": 4, "right": 4},
        autosize=alt.AutoSizeParams(type="fit", contains="padding"),
    )  # fmt: skip
    styled: Chart = (
        sized.configure(font=_FONT)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor="#4a5a63", titleColor="#4a5a63", titleFontWeight=400, labelFontSize=12, titleFontSize=12,
            gridColor=PALE, domainColor="#b9c6c8", tickColor="#b9c6c8", labelPadding=6, titlePadding=10,
        )
        .configure_legend(labelColor=INK, titleColor="#4a5a63", titleFontWeight=400, labelFontSize=12, titleFontSize=12)
    )  # fmt: skip
    return styled


def _with_month_names(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        pl.col("calendar_month")
        .cast(pl.Int64)
        .replace_strict(dict(enumerate(MONTH_NAMES, start=1)), return_dtype=pl.String)
        .alias("month")
    )


def _in_order(values: pl.Series) -> list[str]:
    return values.unique(maintain_order=True).to_list()


def _largest(values: pl.Series) -> float:
    return max([0.0, *(float(value) for value in values.drop_nulls())])


def _time_axis(days: pl.Series, label_format: str) -> alt.Axis:
    """A tick on days of the data, counted back from the newest, and no more of them than can be read."""
    there = sorted(days.unique().to_list(), reverse=True)
    ticks = there[:: -(-len(there) // _MOST_TICKS) or 1]
    values = [alt.DateTime(year=day.year, month=day.month, date=day.day) for day in ticks]
    return alt.Axis(
        format=label_format, values=values, grid=False, labelOverlap="greedy", labelSeparation=8, labelFlush=False
    )


def _few_ticks() -> alt.Axis:
    return alt.Axis(tickCount=5, format=",.0f", grid=False)


def _top() -> alt.Legend:
    return alt.Legend(orient="top", title=None, labelLimit=260)


def _upright() -> Any:
    return alt.Axis(labelAngle=0, ticks=False)
