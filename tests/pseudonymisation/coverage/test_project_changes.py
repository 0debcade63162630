"""A dbt project that somebody has changed, compiled by dbt itself: what is not covered any more is found, and nothing else."""

import shutil
from pathlib import Path

import pytest

from orchestration.coverage_check import compiled_models
from orchestration.dbt_runs import project_folder
from pseudonymisation.coverage.check import check_coverage
from pseudonymisation.coverage.declared import load_exemptions
from pseudonymisation.policy.model import Policy

pytestmark = pytest.mark.slow

EDITS = (
    ("dbt_project.yml", "clean-targets:", 'on-run-end: ["create table kept as select 1 as one"]\nclean-targets:'),
    (
        "models/market_trends/marts/agg_market_season.sql",
        "with ",
        "{{ config(post_hook='create table kept (a int)') }}\nwith ",
    ),
    ("dbt_project.yml", "        rules: {+meta: {erasure: computed}}\n", ""),
    (
        "dbt_project.yml",
        "+schema: staging, +access: private, +meta: {erasure: computed}}",
        "+schema: staging, +access: private}",
    ),
    (
        "models/accounting/marts/_accounting__marts.yml",
        "{purpose: accounting, erasure: by_key}",
        "{purpose: accounting}",
    ),
    (
        "models/market_trends/staging/stg_market_trends__booking.sql",
        "from source",
        ", customer_id as buyer_id from source",
    ),
    (
        "models/accounting/staging/stg_accounting__payout.sql",
        "with source",
        "{{ config(materialized='table') }}\nwith source",
    ),
    ("models/matching/marts/fct_booking.sql", '"{{ remove_rows_where(matching_booking_input_is_gone()) }}",', ""),
)
NEW = {
    "models/market_trends/intermediate/int_best_customers.sql": (
        "select customer_id, count(*) as bookings from {{ ref('stg_market_trends__booking') }} group by customer_id"
    ),
    "models/market_trends/intermediate/int_other_purpose.sql": (
        "select account_id from {{ source('fraud', 'app_db__login') }}"
    ),
    "models/fraud/other/int_in_no_layer.sql": "select count(*) as logins from {{ ref('stg_fraud__login') }}",
}  # fmt: skip
FOUND = {
    "dbt: operation: ",
    "dbt: market_trends: marts.agg_market_season: has a hook that does more",
    "dbt: fraud: intermediate.int_rule_",
    "dbt: matching: staging.stg_matching__",
    "dbt: accounting: marts.fct_payment: says `rebuilt`",
    "dbt: accounting: staging.stg_accounting__payout: says `computed`",
    "dbt: market_trends: staging.stg_market_trends__booking: column buyer_id descends from app_db.booking.customer_id",
    "dbt: matching: marts.fct_booking: has no pre-hook that looks at app_db__service_request",
    "dbt: market_trends: intermediate.int_best_customers: column bookings",
    "dbt: market_trends: intermediate.int_best_customers: column customer_id descends from app_db.booking.customer_id",
    "dbt: market_trends: intermediate.int_other_purpose: cannot be followed (it reads src.app_db__login",
    "dbt: fraud: main.int_in_no_layer: has its rows from app_db__login and has no erasure rule",
    "dbt: fraud: main.int_in_no_layer: column logins",
}


def test_every_change_that_leaves_a_gap_is_found(tmp_path: Path, policy: Policy) -> None:
    project = tmp_path / "dbt_project"
    shutil.copytree(project_folder(), project, ignore=shutil.ignore_patterns("target", "logs"))
    for name, old, new in EDITS:
        text = (project / name).read_text()
        assert old in text
        (project / name).write_text(text.replace(old, new, 1))
    for name, sql in NEW.items():
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(sql)
    problems = check_coverage(policy, load_exemptions(), compiled_models(project))
    assert [start for start in FOUND if not any(problem.startswith(start) for problem in problems)] == []
    assert [problem for problem in problems if not problem.startswith(tuple(FOUND))] == []
