"""An incremental model that would not follow an erasure is found, whichever part of following it lacks."""

from dataclasses import replace

import pytest

from pseudonymisation.coverage.model_rules import check_models, personal_tables
from pseudonymisation.coverage.models import Model
from pseudonymisation.coverage.origins import trace_purpose
from pseudonymisation.policy.model import Policy

INCREMENTAL = [
    *(
        "agg_liquidity",
        "agg_unmet_need",
        "fct_booking",
        "fct_provider_capacity_hour",
        "fct_request",
        "fct_request_funnel",
    ),
    *("fct_search", "fct_session", "fct_payment", "fct_booking_ledger"),
]
NEWER = "_batch_id > (select coalesce(max(_batch_id), -1)"


def problems(policy: Policy, models: list[Model], changed: Model) -> list[str]:
    """The changed model may read any staging model: those come first, as dbt would then have it."""
    whole = [changed if one.name == changed.name else one for one in models]
    whole.sort(key=lambda one: not one.relation.startswith("staging."))
    return check_models(policy, [changed], [trace_purpose(policy, whole, changed.purpose)])


def named(models: list[Model], name: str) -> Model:
    return next(one for one in models if one.name == name)


def test_these_are_the_incremental_models(models: list[Model]) -> None:
    assert sorted(one.name for one in models if one.materialized == "incremental") == sorted(INCREMENTAL)
    assert all(one.incremental_sql != one.sql for one in models if one.incremental_sql is not None)


@pytest.mark.parametrize("name", INCREMENTAL)
def test_a_model_with_a_pre_hook_less_is_found(policy: Policy, models: list[Model], name: str) -> None:
    one = named(models, name)
    first = replace(one, hooks=one.hooks[1:])
    assert any("no pre-hook remove_rows_without_source" in problem for problem in problems(policy, models, first))
    if len(one.hooks[1].reads - one.hooks[0].reads):
        second = replace(one, hooks=one.hooks[:1])
        assert any("would stay here" in problem for problem in problems(policy, models, second))


@pytest.mark.parametrize("name", INCREMENTAL)
def test_a_model_that_does_not_ask_an_input_for_newer_batches_is_found(
    policy: Policy, models: list[Model], name: str
) -> None:
    one = named(models, name)
    assert one.incremental_sql is not None
    parts = one.incremental_sql.split(NEWER)
    assert len(parts) > 1
    for position in range(1, len(parts)):
        sql = NEWER.join(parts[:position]) + NEWER.replace(">", "<") + NEWER.join(parts[position:])
        found = problems(policy, models, replace(one, incremental_sql=sql))
        assert any("would not be built anew" in problem for problem in found), position


@pytest.mark.parametrize("name", INCREMENTAL)
def test_a_model_that_never_builds_what_it_lacks_is_found(policy: Policy, models: list[Model], name: str) -> None:
    one = named(models, name)
    assert one.incremental_sql is not None
    sql = one.incremental_sql.replace(f"{one.unique_key} not in", f"{one.unique_key} in")
    assert any("would be missing" in p for p in problems(policy, models, replace(one, incremental_sql=sql)))


@pytest.mark.parametrize("name", ["fct_booking", "fct_request_funnel"])
def test_a_new_input_whose_batch_is_forgotten_is_found(policy: Policy, models: list[Model], name: str) -> None:
    one = named(models, name)
    join = (
        ' left join "warehouse"."staging"."stg_matching__account" as someone on joined.provider_id = someone.account_id'
    )
    changes = {
        form: sql.replace("select * from joined", "select joined.* from joined" + join)
        for form, sql in (("sql", one.sql), ("incremental_sql", one.incremental_sql or ""))
    }
    changed = replace(one, **changes, parents=one.parents | {"staging.stg_matching__account"})  # type: ignore[arg-type]
    in_order = sorted(models, key=lambda model: not model.relation.startswith("staging."))  # its new input comes first
    found = problems(policy, in_order, changed)
    assert sum("app_db__account:" in problem or "app_db__account's" in problem for problem in found) >= 2
    assert any("would stay here" in problem for problem in found)


@pytest.mark.parametrize("changes", [{"strategy": "append"}, {"unique_key": None}, {"unique_key": ["a", "b"]}])
def test_a_strategy_that_leaves_old_rows_is_found(
    policy: Policy, models: list[Model], changes: dict[str, object]
) -> None:
    one = replace(named(models, "fct_payment"), **changes)  # type: ignore[arg-type]
    assert any("delete+insert" in problem for problem in problems(policy, models, one))


def test_rows_count_as_descending_from_people_even_where_no_column_does(policy: Policy, models: list[Model]) -> None:
    fraud = trace_purpose(policy, models, "fraud")
    assert "app_db__login" in personal_tables(policy, fraud, "marts.agg_rule_performance")
    assert personal_tables(policy, fraud, "marts.dim_rule") == frozenset()
