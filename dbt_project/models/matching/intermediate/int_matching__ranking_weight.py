"""The weights of the ranking, learnt from the requests that came to an end."""

from learning.ranking import fit_relation


def model(dbt, session):  # type: ignore[no-untyped-def]
    dbt.config(materialized="table")
    inputs = dbt.ref("int_matching__rank_input")
    outcomes = dbt.ref("fct_rank_training")
    return fit_relation(session, inputs, outcomes)
