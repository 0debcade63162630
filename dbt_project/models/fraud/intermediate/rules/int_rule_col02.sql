{{ config(materialized="ephemeral") }}

with pair as (
    select
        customer_id,
        provider_id,
        count(*) as booking_count,
        sum(price_nok) as price_nok,
        max(booked_at) as booked_at
    from {{ ref("stg_fraud__booking") }}
    where is_done and provider_id is not null and {{ fraud_in_window("COL02", "booked_at") }}
    group by customer_id, provider_id
),

share as (
    select
        *,
        price_nok * 1.0 / nullif(sum(price_nok) over (partition by provider_id), 0) as turnover_share
    from pair
),

concentrated as (
    select * from share
    where
        customer_id is not null
        and booking_count >= {{ fraud_at_least("COL02") }}
        and turnover_share >= {{ fraud_threshold("COL02") }}
),

-- two who live off each other are one finding for each of them
either as (
    select
        provider_id as account_id,
        customer_id as counterpart_id,
        turnover_share,
        booked_at
    from concentrated
    union all
    select
        customer_id as account_id,
        provider_id as counterpart_id,
        turnover_share,
        booked_at
    from concentrated
),

finding as (
    select
        account_id,
        counterpart_id,
        max(turnover_share) as turnover_share,
        max(booked_at) as booked_at
    from either
    group by account_id, counterpart_id
)

select {{ fraud_hit(
    "COL02", "account_id", "round(turnover_share, 2)", "booked_at",
    counterpart_id="counterpart_id"
) | indent(4) }}
from finding
