{{ config(materialized="ephemeral") }}

{#-
  Counted by account, by card (also over accounts), and by the network of the checkout (also over accounts): the most that
  any 24 hours around a declined charge saw.
-#}
with checkout as (
    select
        booking_id,
        min(network_id) as network_id
    from {{ ref("stg_fraud__event") }}
    where event_name = 'Checkout Started' and booking_id is not null
    group by booking_id
),

declined as (
    select
        charge.booking_id,
        charge.customer_id,
        charge.card_fingerprint,
        checkout.network_id,
        charge.created_at
    from {{ ref("stg_fraud__charge") }} as charge
    left join checkout on charge.booking_id = checkout.booking_id
    where charge.is_declined and charge.customer_id is not null and {{ fraud_in_window("PAY02", "charge.created_at") }}
),

attempt as (
    select
        customer_id,
        customer_id as key_id,
        'account' as key_kind,
        created_at
    from declined
    union all
    select
        customer_id,
        card_fingerprint as key_id,
        'card' as key_kind,
        created_at
    from declined
    where card_fingerprint is not null
    union all
    select
        customer_id,
        network_id as key_id,
        'network' as key_kind,
        created_at
    from declined
    where network_id is not null
),

day_before as (
    select
        *,
        count(*) over (
            partition by key_kind, key_id order by created_at range between interval '1 day' preceding and current row
        ) as decline_count
    from attempt
),

busiest_day as (
    select
        customer_id,
        created_at,
        max(decline_count) over (
            partition by key_kind, key_id order by created_at range between current row and interval '1 day' following
        ) as decline_count
    from day_before
)

select
    {{ fraud_hit("PAY02", "customer_id", "max(decline_count)", "max(created_at)") | indent(4) }}
from busiest_day
where decline_count >= {{ fraud_threshold("PAY02") }}
group by customer_id
