{{ config(materialized="ephemeral") }}

{#- A short greeting is everybody's text, and a standing answer to people who then book is no spam. -#}
with pair as (
    select
        customer_id as account_id,
        provider_id as other_id
    from {{ ref("stg_fraud__booking") }}
    union
    select
        provider_id,
        customer_id
    from {{ ref("stg_fraud__booking") }}
),

first_message as (
    select
        message.sender_id,
        message.recipient_id,
        message.body_fingerprint,
        min(message.sent_at) as sent_at
    from {{ ref("stg_fraud__message") }} as message
    left join pair on message.sender_id = pair.account_id and message.recipient_id = pair.other_id
    where
        pair.account_id is null
        and message.body_length >= 20
        and message.body_fingerprint is not null
        and message.sender_id is not null
        and message.recipient_id is not null
        and {{ fraud_in_window("CHT02", "message.sent_at") }}
    group by message.sender_id, message.recipient_id, message.body_fingerprint
),

week as (
    select
        sender_id,
        body_fingerprint,
        sent_at,
        count(*) over (
            partition by sender_id, body_fingerprint
            order by sent_at range between interval '7 days' preceding and current row
        ) as recipient_count
    from first_message
)

select
{{ fraud_hit(
    "CHT02", "sender_id", "max(recipient_count)", "max(sent_at)",
    evidence_id="body_fingerprint"
) | indent(4) }}
from week
where recipient_count >= {{ fraud_threshold("CHT02") }}
group by sender_id, body_fingerprint
