{{ config(materialized="ephemeral") }}

{#- Counted by account, by card (also over accounts), and by the network of the checkout (also over accounts). -#}
with declined as (
    select charge_id, booking_id, customer_id, card_fingerprint, created_at
    from {{ ref("stg_fraud__charge") }}
    where is_declined and {{ fraud_in_window("PAY02", "created_at") }}
),

checkout as (
    select booking_id, min(network_id) as network_id
    from {{ ref("stg_fraud__event") }}
    where event_name = 'Checkout Started' and booking_id is not null
    group by booking_id
),

velocity as (
    select
        declined.customer_id,
        declined.created_at,
        count(*) over by_customer as customer_count,
        case when declined.card_fingerprint is not null then count(*) over by_card else 0 end as card_count,
        case when checkout.network_id is not null then count(*) over by_network else 0 end as network_count
    from declined
    left join checkout on declined.booking_id = checkout.booking_id
    window
        by_customer as (
            partition by declined.customer_id order by declined.created_at
            range between interval '1 day' preceding and current row
        ),
        by_card as (
            partition by declined.card_fingerprint order by declined.created_at
            range between interval '1 day' preceding and current row
        ),
        by_network as (
            partition by checkout.network_id order by declined.created_at
            range between interval '1 day' preceding and current row
        )
),

counted as (
    select customer_id, created_at, greatest(customer_count, card_count, network_count) as decline_count
    from velocity
    where customer_id is not null
)

select {{ fraud_hit("PAY02", "customer_id", "max(decline_count)", "max(created_at)") | indent(4) }}
from counted
where decline_count >= {{ fraud_threshold("PAY02") }}
group by customer_id
