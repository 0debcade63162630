{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='day',
        on_schema_change='fail',
        pre_hook=[
            "{{ remove_rows_without_source('day', ref('int_matching__need_input')) }}",
            "{{ remove_rows_where(matching_need_day_is_not_as_built()) }}",
        ]
    )
}}

with inputs as (
    select * from {{ ref('int_matching__need_input') }}
),

inputs_to_build as (
    {{ rows_of_days_to_build('inputs') }}
),

measured as (
    select
        category_id,
        municipality,

        cast(sum(searches) as bigint) as searches,
        cast(sum(zero_result_searches) as bigint) as zero_result_searches,
        cast(sum(zero_result_searches) as double) / nullif(sum(searches), 0) as zero_result_share,
        cast(sum(requests) as bigint) as requests,
        count(distinct customer_id) as customers,
        cast(sum(unshown_requests) as bigint) as unshown_requests,
        cast(sum(unfilled_requests) as bigint) as unfilled_requests,
        cast(sum(unfilled_requests) as double) / nullif(sum(requests), 0) as unfilled_share,
        cast(sum(input_rows) as bigint) as input_rows,

        day,

        max(_batch_id) as _batch_id
    from inputs_to_build
    group by category_id, municipality, day
)

select * from measured
