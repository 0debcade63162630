{{ config(materialized="ephemeral") }}

with offer as (
    select message.sender_id, message.recipient_id, message.sent_at
    from {{ ref("stg_fraud__message") }} as message
    where
        message.is_contact_offer
        and message.sender_id is not null
        and message.recipient_id is not null
        and {{ fraud_in_window("CHT01", "message.sent_at") }}
        and not exists (
            select 1 from {{ ref("stg_fraud__booking") }} as booking
            where
                booking.booked_at <= message.sent_at
                and (
                    (booking.customer_id = message.sender_id and booking.provider_id = message.recipient_id)
                    or (booking.customer_id = message.recipient_id and booking.provider_id = message.sender_id)
                )
        )
)

select {{ fraud_hit("CHT01", "sender_id", "count(distinct recipient_id)", "max(sent_at)") | indent(4) }}
from offer
group by sender_id
having count(distinct recipient_id) >= {{ fraud_threshold("CHT01") }}
