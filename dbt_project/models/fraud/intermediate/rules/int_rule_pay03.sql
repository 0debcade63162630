{{ config(materialized="ephemeral") }}

with sighting as (
    select
        account_id,
        card_fingerprint,
        created_at
    from {{ ref("stg_fraud__payment_method") }}
    union all
    select
        customer_id as account_id,
        card_fingerprint,
        created_at
    from {{ ref("stg_fraud__charge") }}
),

new_card as (
    select
        account_id,
        card_fingerprint,
        min(created_at) as first_used_at
    from sighting
    where account_id is not null and card_fingerprint is not null
    group by account_id, card_fingerprint
),

week as (
    select
        account_id,
        first_used_at,
        count(*) over (
            partition by account_id order by first_used_at range between interval '7 days' preceding and current row
        ) as card_count
    from new_card
)

select {{ fraud_hit("PAY03", "account_id", "max(card_count)", "max(first_used_at)") | indent(4) }}
from week
where card_count >= {{ fraud_threshold("PAY03") }} and {{ fraud_in_window("PAY03", "first_used_at") }}
group by account_id
