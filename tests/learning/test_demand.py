"""Forecasts of demand: nothing from after the origin, better than the same week a year before, intervals as wide as they say."""

from datetime import date, timedelta

import duckdb
import numpy as np
import pytest

from learning.demand import FIRST_ORIGIN, HORIZON, SEASON, Floats, actuals, forecast_relation, forecasts


def demand(seed: int, series: int = 12, weeks: int = 130) -> Floats:
    """A growing market with a summer."""
    random = np.random.default_rng(seed)
    week = np.arange(weeks)
    mean = np.outer(random.uniform(3, 40, series), (1 + week / 150) * (1 + 0.4 * np.sin(2 * np.pi * week / SEASON)))
    return random.poisson(mean).astype(np.float64)


def test_seasonal_naive_is_the_same_week_a_year_before() -> None:
    y = demand(1)
    naive = forecasts(y)["seasonal_naive"].forecast
    assert naive[3, 80].tolist() == [y[3, 80 + h - SEASON] for h in range(1, HORIZON + 1)]
    assert np.isnan(naive[:, :FIRST_ORIGIN]).all()


@pytest.mark.parametrize("model", ["seasonal_naive", "smoothing"])
def test_what_comes_after_the_origin_changes_no_forecast(model: str) -> None:
    y, origin = demand(2), 110
    changed = y.copy()
    changed[:, origin + 1 :] = 500
    one, other = forecasts(y)[model], forecasts(changed)[model]
    assert np.array_equal(one.forecast[:, : origin + 1], other.forecast[:, : origin + 1], equal_nan=True)
    assert np.array_equal(one.bounds[:, : origin + 1], other.bounds[:, : origin + 1], equal_nan=True)


def test_smoothing_beats_the_seasonal_naive_and_its_intervals_cover_what_they_say() -> None:
    covered, ratio = [], []
    for seed in range(5):
        y = demand(seed)
        actual, found = actuals(y), forecasts(y)
        error = {name: np.nanmean(np.abs(one.forecast - actual)) for name, one in found.items()}
        ratio.append(error["smoothing"] / error["seasonal_naive"])
        bounds = found["smoothing"].bounds
        known = ~np.isnan(actual) & ~np.isnan(bounds[..., 0])
        covered.append([
            np.mean((actual >= bounds[..., i])[known] & (actual <= bounds[..., i + 1])[known]) for i in (0, 2)
        ])  # fmt: skip
        lower_80, upper_80, lower_95, upper_95 = (bounds[..., i][known] for i in range(4))
        assert ((lower_95 <= lower_80) & (lower_80 <= upper_80) & (upper_80 <= upper_95) & (lower_95 >= 0)).all()
    assert max(ratio) < 1
    assert np.mean(covered, axis=0) == pytest.approx([0.8, 0.95], abs=0.05)


def test_a_relation_gives_busy_series_and_counts_a_week_without_a_row_as_nothing() -> None:
    monday = date(2024, 1, 1)
    rows = [(1, "all", monday + timedelta(7 * n), 20) for n in range(60) if n != 57]
    rows += [(1, "OSLO", monday + timedelta(7 * n), 9) for n in range(60)]
    rows += [(1, "BODØ", monday + timedelta(7 * n), 1) for n in range(0, 60, 3)]
    con = duckdb.connect()
    con.execute("CREATE TABLE weeks (category_id BIGINT, municipality VARCHAR, week_start DATE, requests BIGINT)")
    con.executemany("INSERT INTO weeks VALUES (?, ?, ?, ?)", rows)
    found = forecast_relation(con, con.table("weeks"))
    rows_found = [tuple(row.values()) for row in found.to_pylist()]
    assert {(row[0], row[1], row[2]) for row in rows_found} == {
        (1, place, model) for place in ("all", "OSLO") for model in ("seasonal_naive", "smoothing")
    }
    idle = monday + timedelta(7 * 57)
    assert {row[-1] for row in rows_found if row[1] == "all" and row[4] == idle} == {0.0}
    newest = [row for row in rows_found if row[3] == monday + timedelta(7 * 59)]
    assert len(newest) == 2 * 2 * HORIZON
    assert {row[-1] for row in newest} == {None}


def test_a_market_that_is_too_young_has_no_forecast() -> None:
    con = duckdb.connect()
    con.execute("CREATE TABLE weeks (category_id BIGINT, municipality VARCHAR, week_start DATE, requests BIGINT)")
    assert forecast_relation(con, con.table("weeks")).num_rows == 0
    con.execute("INSERT INTO weeks VALUES (1, 'all', '2026-01-05', 4)")
    assert forecast_relation(con, con.table("weeks")).num_rows == 0
    assert np.isnan(forecasts(np.ones((2, 3)))["smoothing"].forecast).all()
