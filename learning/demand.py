"""How many requests the next weeks will bring, by category and region, with intervals; beside the seasonal naive forecast.

The level of each series is smoothed exponentially and carried forward with the season of the market as a whole, which one
series is too small to tell (Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., ch. 8). How fast to
smooth and how much of the season to believe is chosen anew at each origin, by the errors of the origins before it.
Intervals are the quantiles of those errors, in units of the root of the forecast, since a count's spread grows with its
root, and of the size of error that each series is used to (split conformal prediction: Angelopoulos and Bates, Foundations
and Trends in Machine Learning, 2023). What they miss too often or too seldom moves the quantiles (adaptive conformal
inference: Gibbs and Candès, NeurIPS 2021). Nothing is used that was not known at the origin.
"""

from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]

SEASON = 52
HORIZON = 4
ALPHAS = (0.05, 0.1, 0.2, 0.35, 0.5)
SEASON_SHARES = (0.0, 0.5, 1.0)
WINDOW = 2
"""Weeks to either side that a week's season is the mean of."""

FIRST_ORIGIN = SEASON + WINDOW
LEAST_ERRORS = 40
"""Below so many known errors of a model there is no interval."""

TYPICAL_ERRORS = 8
"""How many errors of an average series each is taken to have had: a few of its own tell little."""

ADAPTATION = 0.05
"""How far one week moves a quantile."""

LEVELS = (0.8, 0.95)
LEAST_WEEKLY = 1.0
"""Requests a week in the last year from which on a municipality has a forecast of its own."""

MODELS = ("seasonal_naive", "smoothing")


@dataclass(frozen=True, kw_only=True)
class Forecasts:
    """By series, origin (number of the last known week) and horizon - 1; NaN where there is none. `bounds` has one axis
    more at its end: lower and upper for each of LEVELS in turn."""

    forecast: Floats
    bounds: Floats


def forecasts(y: Floats) -> dict[str, Forecasts]:
    """For each model, from weekly counts: a row a series, a column a week."""
    chosen = {"seasonal_naive": _seasonal_naive(y), "smoothing": _smoothing(y)}
    return {name: Forecasts(forecast=f, bounds=_bounds(y, f)) for name, f in chosen.items()}


def actuals(y: Floats) -> Floats:
    """What came, laid out as forecasts are; NaN where it is not known."""
    series, weeks = y.shape
    found = np.full((series, weeks, HORIZON), np.nan)
    for h in range(HORIZON):
        found[:, : max(weeks - h - 1, 0), h] = y[:, h + 1 :]
    return found


def _seasonal_naive(y: Floats) -> Floats:
    """The same week a year before."""
    series, weeks = y.shape
    found = np.full((series, weeks, HORIZON), np.nan)
    for h in range(HORIZON):
        for origin in range(FIRST_ORIGIN, weeks):
            found[:, origin, h] = y[:, origin + h + 1 - SEASON]
    return found


def _smoothing(y: Floats) -> Floats:
    every = np.stack([level[:, :, None] * _season(y) ** share for level in _levels(y) for share in SEASON_SHARES])
    scale = np.sqrt(every[0] + 1)
    error = np.abs(every - actuals(y)) / scale
    series, weeks = y.shape
    found = np.full((series, weeks, HORIZON), np.nan)
    for origin in range(FIRST_ORIGIN, weeks):
        known = [error[:, :, FIRST_ORIGIN : origin - h, h] for h in range(HORIZON)]
        loss = sum(np.nansum(part, axis=(1, 2)) for part in known)
        found[:, origin] = every[int(np.argmin(loss)), :, origin]
    return found


def _levels(y: Floats) -> list[Floats]:
    """For each of ALPHAS the smoothed level after each week."""
    found = []
    for alpha in ALPHAS:
        level = np.empty(y.shape)
        level[:, 0] = y[:, 0]
        for week in range(1, y.shape[1]):
            level[:, week] = alpha * y[:, week] + (1 - alpha) * level[:, week - 1]
        found.append(level)
    return found


def _season(y: Floats) -> Floats:
    """By week and horizon: what the whole market was a year before that week, over what it was a year before the origin."""
    weeks, market = y.shape[1], y.sum(axis=0)
    found = np.ones((weeks, HORIZON))
    for origin in range(FIRST_ORIGIN, weeks):
        for h in range(HORIZON):
            before, after = origin - SEASON, origin + h + 1 - SEASON
            there = market[after - WINDOW : after + WINDOW + 1].sum()
            here = market[before - WINDOW : before + WINDOW + 1].sum()
            found[origin, h] = np.clip((there + 1) / (here + 1), 0.5, 2.0)
    return found


def _bounds(y: Floats, forecast: Floats) -> Floats:
    """Quantiles of the errors that were known at each origin, over all series, around the forecast; never below 0."""
    spread, actual = np.sqrt(forecast + 1), actuals(y)
    error = (actual - forecast) / spread
    scaled, bounds = np.full(error.shape, np.nan), np.full((*forecast.shape, 2 * len(LEVELS)), np.nan)
    tails = np.array([tail for level in LEVELS for tail in ((1 - level) / 2, (1 + level) / 2)])
    for h in range(HORIZON):
        moved = np.tile(tails, (y.shape[0], 1))
        for origin in range(FIRST_ORIGIN, y.shape[1]):
            known = slice(max(FIRST_ORIGIN, origin - SEASON), max(FIRST_ORIGIN, origin - h))
            scale = _own_scale(error[:, known, h])
            scaled[:, origin, h] = error[:, origin, h] / scale
            errors = scaled[:, known, h][~np.isnan(scaled[:, known, h])]
            if errors.size < LEAST_ERRORS:
                continue
            newest = origin - h - 1
            if newest >= FIRST_ORIGIN:
                moved = _moved(moved, tails, bounds[:, newest, h], actual[:, newest, h])
            reach = (spread[:, origin, h] * scale)[:, None] * np.quantile(errors, moved)
            found = np.maximum(forecast[:, origin, h, None] + reach, 0.0)
            for wider in range(2, found.shape[1], 2):  # none is narrower than the one of a lower level
                found[:, wider] = np.minimum(found[:, wider], found[:, wider - 2])
                found[:, wider + 1] = np.maximum(found[:, wider + 1], found[:, wider - 1])
            bounds[:, origin, h] = found
    return bounds


def _moved(moved: Floats, tails: Floats, bounds: Floats, actual: Floats) -> Floats:
    """The quantiles of each series after the newest week that is known: outward where it fell outside, inward where not."""
    is_lower = tails < 0.5
    missed = np.where(is_lower, actual[:, None] < bounds, actual[:, None] > bounds)
    aim = np.minimum(tails, 1 - tails)
    step = ADAPTATION * np.where(np.isnan(bounds), 0.0, aim - missed)
    found: Floats = np.clip(
        moved + np.where(is_lower, step, -step), *np.where(is_lower, [[0.001], [0.5]], [[0.5], [0.999]])
    )
    return found


def _own_scale(known: Floats) -> Floats:
    """The mean size of each series' known errors, drawn to that of all as by TYPICAL_ERRORS further ones; 1 without any."""
    is_known = ~np.isnan(known)
    size = np.where(is_known, np.abs(known), 0.0)
    if not is_known.any() or not size.any():
        return np.ones(known.shape[0])
    typical = size.sum() / is_known.sum()
    scale: Floats = (size.sum(axis=1) + TYPICAL_ERRORS * typical) / (is_known.sum(axis=1) + TYPICAL_ERRORS)
    return scale


def forecast_relation(con: duckdb.DuckDBPyConnection, weeks: Any) -> pa.Table:
    """From int_market_trends__demand_week (category_id, municipality, week_start, requests, of weeks that have ended; 'all'
    among the municipalities): a row a category, municipality, model, origin and horizon."""
    keys, first_week, y = _series(con, weeks)
    columns: dict[str, list[Any]] = {name: [] for name in _SCHEMA.names}
    actual = actuals(y)
    for name, found in (forecasts(y) if y.size else {}).items():
        series, origin, h = np.nonzero(~np.isnan(found.forecast))
        columns["category_id"] += [keys[i][0] for i in series]
        columns["municipality"] += [keys[i][1] for i in series]
        columns["model"] += [name] * len(series)
        columns["origin_week_start"] += (first_week + 7 * origin.astype("timedelta64[D]")).tolist()
        columns["week_start"] += (first_week + 7 * (origin + h + 1).astype("timedelta64[D]")).tolist()
        columns["horizon_weeks"] += (h + 1).tolist()
        columns["forecast"] += found.forecast[series, origin, h].tolist()
        for i, bound in enumerate(("lower_80", "upper_80", "lower_95", "upper_95")):
            columns[bound] += _or_none(found.bounds[series, origin, h, i])
        columns["actual"] += _or_none(actual[series, origin, h])
    return pa.table(columns, schema=_SCHEMA)


_SCHEMA = pa.schema(
    [
        ("category_id", pa.int64()),
        ("municipality", pa.string()),
        ("model", pa.string()),
        ("origin_week_start", pa.date32()),
        ("week_start", pa.date32()),
        ("horizon_weeks", pa.int64()),
        *((name, pa.float64()) for name in ("forecast", "lower_80", "upper_80", "lower_95", "upper_95", "actual")),
    ]
)


def _series(con: duckdb.DuckDBPyConnection, weeks: Any) -> tuple[list[tuple[int, str]], np.datetime64, Floats]:
    """The series long and busy enough to be forecast, their first week, and their counts; a week without a row is 0."""
    span = con.sql("SELECT min(week_start), max(week_start) FROM weeks").fetchone()
    if span is None or span[0] is None:
        return [], np.datetime64("1970-01-05"), np.zeros((0, 0))
    found = con.sql(
        f"""
        SELECT category_id, municipality, list((week_start - first_week) // 7 ORDER BY week_start) AS number,
            list(requests ORDER BY week_start) AS requests
        FROM weeks, (SELECT min(week_start) AS first_week, max(week_start) AS last_week FROM weeks)
        GROUP BY category_id, municipality
        HAVING municipality = 'all' OR sum(requests) FILTER (week_start > last_week - {7 * SEASON}) >= {LEAST_WEEKLY * SEASON}
        ORDER BY category_id, municipality
        """
    ).fetchall()
    y = np.zeros((len(found), (span[1] - span[0]).days // 7 + 1))
    for row, (_, _, number, requests) in enumerate(found):
        y[row, number] = requests
    return [(category, municipality) for category, municipality, _, _ in found], np.datetime64(span[0]), y


def _or_none(values: Floats) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values.tolist()]
