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
    select * from inputs
    {% if is_incremental() %}
    where
        day in (select day from inputs where _batch_id > {{ newest_batch_seen() }})
        or day not in (select day from {{ this }})
    {% endif %}
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
        category_id,
        municipality,
        {{ matching_health_quadrant() }} as health_quadrant,

        searches,
        filled_searches,
        search_to_fill,
        requests,
        customers,
        responded_requests,
        filled_requests,
        fill_rate,
        median_minutes_to_first_response,
        p90_minutes_to_first_response,
        median_minutes_to_match,
        p90_minutes_to_match,
        open_slots,
        open_providers,
        requests_per_open_slot,
        cancelled_by_customer,
        cancelled_by_provider,
        cancelled_by_platform,
        input_rows,

        day,

        _batch_id
    from figures
)

select * from measured
