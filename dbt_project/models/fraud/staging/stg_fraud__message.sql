with source as (
    select * from {{ source("fraud", "app_db__message") }}
),

renamed as (
    select
        message_id,
        conversation_id,
        booking_id,
        sender_id,
        recipient_id,
        body_fingerprint,

        body_length,

        coalesce(body_has_email, false) or coalesce(body_has_phone, false) or coalesce(body_has_payment_word, false)
            as is_contact_offer,

        sent_at
    from source
)

select * from renamed
