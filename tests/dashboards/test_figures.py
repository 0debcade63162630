"""Charts by what they are made of: words on every axis, nothing told by colour alone, nothing fetched."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from dashboards import figures
from dashboards.figures import Chart

MONTHS = pl.DataFrame(
    {
        "month_start": [date(2026, month, 1) for month in range(1, 13)],
        "requests": [100 + month for month in range(12)],
        "bookings": [50 if month != 5 else None for month in range(12)],
    }
)
WEEKS = pl.DataFrame(
    {"week_start": [date(2026, 1, 5) + timedelta(weeks=week) for week in range(52)], "rate": [0.5] * 52}
)
SEASON = pl.DataFrame(
    {
        "category": ["Cleaning"] * 12,
        "calendar_month": list(range(1, 13)),
        "booking_index": [1.0] * 11 + [2.0],
        "request_index": [1.0] * 12,
        "months_observed": [2] * 12,
    }
)
PLACES = pl.DataFrame(
    {
        "municipality": ["OSLO", "OSLO", "BERGEN"],
        "month_start": [date(2026, 1, 1), date(2026, 2, 1), date(2026, 1, 1)],
        "bookings": [12, None, 30],
        "suppression_reason": [None, "too_few_people", None],
    }
)
RATES = pl.DataFrame(
    {
        "municipality": ["OSLO", "BERGEN"],
        "category": ["Cleaning", "Cleaning"],
        "fill_rate": [0.5, None],
        "is_withheld": [False, True],
    }
)
FUNNEL = pl.DataFrame({"stage": ["Requests made", "Booked"], "requests": [2000, 500], "share": [1.0, 0.25]})
CLUSTERS = pl.DataFrame({"accounts": [2, 2, 4], "has_banned": [False, True, False], "clusters": [40, 1, 5]})
FLAGS = pl.DataFrame({"score": [0.52, 0.9], "recommended_action": ["review", "block_and_review"]})

CHARTS: dict[str, Callable[[], Chart]] = {
    "months": lambda: figures.series_by_month(
        MONTHS, {"requests": "Requests", "bookings": "Bookings"}, title="A title", unit="Number a month"
    ),
    "weeks": lambda: figures.series_by_week(
        WEEKS, {"rate": "Fill rate"}, title="A title", unit="Share", number_format=".0%"
    ),
    "season": lambda: figures.seasonal_index(SEASON, title="A title"),
    "seasons": lambda: figures.seasonal_matrix(SEASON, title="A title"),
    "places": lambda: figures.place_matrix(PLACES, title="A title"),
    "fill rates": lambda: figures.fill_rate_matrix(RATES, ["OSLO", "BERGEN"], title="A title"),
    "funnel": lambda: figures.funnel(FUNNEL, title="A title"),
    "bars": lambda: figures.ranked_bars(
        FUNNEL, label="stage", value="requests", value_title="Requests", title="A title"
    ),
    "clusters": lambda: figures.cluster_sizes(CLUSTERS, title="A title"),
    "scores": lambda: figures.scores(FLAGS, title="A title"),
}


@pytest.fixture(params=CHARTS, ids=str)
def spec(request: pytest.FixtureRequest) -> dict[str, Any]:
    made: dict[str, Any] = CHARTS[request.param]().to_dict()
    return made


def test_a_chart_has_a_title_a_description_and_its_data_within(spec: dict[str, Any]) -> None:
    assert spec["title"]["text"] == "A title"
    assert len(spec["description"]) > 20
    assert spec["datasets"]
    assert "http" not in json.dumps({key: value for key, value in spec.items() if key != "$schema"})


def test_every_scale_of_numbers_says_what_it_counts(spec: dict[str, Any]) -> None:
    titles = [
        channel.get("title")
        for layer in spec.get("layer", [spec])
        for name, channel in layer["encoding"].items()
        if name in ("x", "y") and channel["type"] == "quantitative" and "title" in channel
    ]
    assert all(titles)


def test_series_differ_in_shape_and_dash_and_bars_in_place_and_not_in_colour_alone() -> None:
    line, points = (layer["encoding"] for layer in CHARTS["months"]().to_dict()["layer"])
    assert line["color"]["field"] == line["strokeDash"]["field"] == points["shape"]["field"]
    bars = CHARTS["clusters"]().to_dict()["encoding"]
    assert bars["color"]["field"] == bars["xOffset"]["field"]


def test_a_long_series_has_no_more_ticks_than_can_be_read() -> None:
    made = CHARTS["weeks"]().to_dict()
    ticks = made["layer"][0]["encoding"]["x"]["axis"]["values"]
    assert 2 <= len(ticks) <= 12
    assert {"year": 2026, "month": 12, "date": 28} in ticks


def test_a_withheld_month_is_a_gap_and_a_withheld_cell_says_so() -> None:
    months = next(iter(CHARTS["months"]().to_dict()["datasets"].values()))
    assert [row["value"] for row in months if row["series"] == "Bookings"].count(None) == 1
    places = next(iter(CHARTS["places"]().to_dict()["datasets"].values()))
    assert [(row["place"], row["bookings"], row["is_withheld"]) for row in places] == [
        ("Oslo", 12, False),
        ("Oslo", None, True),
        ("Bergen", 30, False),
    ]


def test_the_funnel_is_told_in_words_to_who_cannot_see_it() -> None:
    assert "Booked: 500  (25 %)" in CHARTS["funnel"]().to_dict()["description"]
