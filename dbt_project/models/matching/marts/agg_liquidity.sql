{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='day',
        on_schema_change='fail',
        pre_hook=[
            "{{ remove_rows_without_source('day', ref('int_matching__liquidity_input')) }}",
            "{{ remove_rows_where(matching_liquidity_day_is_not_as_built()) }}",
        ]
    )
}}

with inputs as (
    select * from {{ ref('int_matching__liquidity_input') }}
),

inputs_to_build as (
    {{ rows_of_days_to_build('inputs') }}
),

figures as (
    select
        category_id,
        municipality,
        day,
        {{ matching_liquidity_figures() }},
        cast(sum(input_rows) as bigint) as input_rows,
        max(_batch_id) as _batch_id
    from inputs_to_build
    group by category_id, municipality, day
),

measured as (
    select
        *,
        {{ matching_health_quadrant() }} as health_quadrant
    from figures
)

select * from measured
