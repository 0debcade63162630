"""Which figures of which cells are withheld, for their own sake or for another's."""

from publishing.market_table import withheld_relation


def model(dbt, session):  # type: ignore[no-untyped-def]
    dbt.config(materialized="table")
    cells = dbt.ref("int_market_trends__cell")
    rests = dbt.ref("int_market_trends__rest")
    return withheld_relation(session, cells, rests, stood=f"{dbt.this.schema}.{dbt.this.identifier}")
