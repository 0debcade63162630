"""Demand of the next weeks as it was forecast at each week's end, and what came."""

from learning.demand import forecast_relation


def model(dbt, session):  # type: ignore[no-untyped-def]
    dbt.config(materialized="table")
    weeks = dbt.ref("int_market_trends__demand_week")
    return forecast_relation(session, weeks)
