"""Is the forecast of demand better than the same week a year before, and are its intervals as wide as they say?

A generated world goes through the real pipeline as far as market_trends; the forecasts are those that dbt built, one at
each week's end with what was known then. MASE is the mean absolute error over that of the seasonal naive forecast of the
same weeks (Hyndman and Koehler, International Journal of Forecasting 22, 2006). Aims: below 1; coverage within 5 points of what
the interval says.
"""

import sys

from benchmarks.ranking import built_world
from demo.world.spec import world_spec
from storage import Workspace, attached

PURPOSE = "market_trends"

MEASURED = """
    WITH compared AS (
        SELECT one.*, naive.forecast AS naive
        FROM w.intermediate.int_market_trends__forecast AS one
        JOIN w.intermediate.int_market_trends__forecast AS naive
            USING (category_id, municipality, origin_week_start, horizon_weeks)
        WHERE naive.model = 'seasonal_naive' AND one.actual IS NOT NULL
    )
    SELECT model, CASE WHEN municipality = 'all' THEN 'all municipalities' ELSE 'one municipality' END AS region,
        count(DISTINCT (category_id, municipality)) AS series, count(*) AS forecasts, avg(actual) AS mean,
        avg(abs(actual - forecast)) / avg(abs(actual - naive)) AS mase,
        avg((actual BETWEEN lower_80 AND upper_80)::INTEGER) FILTER (lower_80 IS NOT NULL) AS covered_80,
        avg((actual BETWEEN lower_95 AND upper_95)::INTEGER) FILTER (lower_95 IS NOT NULL) AS covered_95
    FROM compared GROUP BY ALL ORDER BY region, model
"""


def main(size: str = "small", seeds: str = "1,2,3") -> None:
    """Print, for each seed, how well each model did."""
    for seed in seeds.split(","):
        with built_world(world_spec(seed=int(seed), size=size), PURPOSE) as workspace:
            report(f"{size} world, seed {seed}", workspace)


def report(title: str, workspace: Workspace) -> None:
    file, key = workspace.home.warehouse_file(PURPOSE), workspace.keyring.purpose_key(PURPOSE, "warehouse")
    with workspace.connect() as con, attached(con, file, "w", key, read_only=True):
        rows = con.execute(MEASURED).fetchall()
    print(title)
    print(f"  {'':<38}{'series':>8}{'forecasts':>11}{'a week':>8}{'MASE':>8}{'in 80 %':>9}{'in 95 %':>9}")
    for model, region, series, count, mean, *measures in rows:
        shown = "".join(f"{'-' if value is None else format(value, '.3f'):>9}" for value in measures)
        print(f"  {model + ', ' + region:<38}{series:>8}{count:>11}{mean:>8.1f}{shown[1:]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
