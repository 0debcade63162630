{{ config(materialized="ephemeral") }}

with pair as (
    select
        customer_id as account_id,
        provider_id as other_id,
        booked_at
    from {{ ref("stg_fraud__booking") }}
    union all
    select
        provider_id,
        customer_id,
        booked_at
    from {{ ref("stg_fraud__booking") }}
),

acquainted as (
    select
        account_id,
        other_id,
        min(booked_at) as first_booked_at
    from pair
    group by account_id, other_id
),

offer as (
    select
        message.sender_id,
        message.recipient_id,
        message.sent_at
    from {{ ref("stg_fraud__message") }} as message
    left join acquainted
        on message.sender_id = acquainted.account_id and message.recipient_id = acquainted.other_id
    where
        message.is_contact_offer
        and message.sender_id is not null
        and message.recipient_id is not null
        and (acquainted.first_booked_at is null or acquainted.first_booked_at > message.sent_at)
        and {{ fraud_in_window("CHT01", "message.sent_at") }}
)

select
    {{ fraud_hit("CHT01", "sender_id", "count(distinct recipient_id)", "max(sent_at)") | indent(4) }}
from offer
group by sender_id
having count(distinct recipient_id) >= {{ fraud_threshold("CHT01") }}
