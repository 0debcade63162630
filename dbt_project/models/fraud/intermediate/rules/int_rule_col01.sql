{{ config(materialized="ephemeral") }}

with pair as (
    select
        booking.customer_id,
        booking.provider_id,
        count(distinct customer_edge.identifier_kind) as shared_kinds,
        max(booking.booked_at) as booked_at
    from {{ ref("stg_fraud__booking") }} as booking
    inner join {{ ref("int_identifier_edge") }} as customer_edge on booking.customer_id = customer_edge.account_id
    inner join {{ ref("int_identifier_edge") }} as provider_edge
        on
            booking.provider_id = provider_edge.account_id
            and customer_edge.identifier_kind = provider_edge.identifier_kind
            and customer_edge.identifier_value = provider_edge.identifier_value
    where
        customer_edge.is_clustering
        and booking.customer_id != booking.provider_id
        and {{ fraud_in_window("COL01", "booking.booked_at") }}
    group by booking.customer_id, booking.provider_id
    having count(distinct customer_edge.identifier_kind) >= {{ fraud_threshold("COL01") }}
),

-- two who book each other are one finding for each of them
either as (
    select
        customer_id as account_id,
        provider_id as counterpart_id,
        shared_kinds,
        booked_at
    from pair
    union all
    select
        provider_id as account_id,
        customer_id as counterpart_id,
        shared_kinds,
        booked_at
    from pair
),

finding as (
    select
        account_id,
        counterpart_id,
        max(shared_kinds) as shared_kinds,
        max(booked_at) as booked_at
    from either
    group by account_id, counterpart_id
)

select {{ fraud_hit("COL01", "account_id", "shared_kinds", "booked_at", counterpart_id="counterpart_id") | indent(4) }}
from finding
