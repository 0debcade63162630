{{ config(materialized='view', meta={'erasure': 'computed'}) }}

with inputs as (
    select * from {{ ref('int_matching__liquidity_input') }}
),

of_demand as (
    select
        category_id,
        municipality,
        customer_id,

        searches,
        zero_result_searches,
        requests,
        unshown_requests,
        unfilled_requests,
        input_rows,

        day,

        _batch_id
    from inputs
    where searches > 0 or requests > 0
)

select * from of_demand
