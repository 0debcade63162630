with source as (
    select * from {{ source("accounting", "stripe__payment_intent") }}
),

renamed as (
    select
        payment_intent_id,
        booking_id,

        status,
        currency,

        amount as amount_ore,
        amount_received as received_ore,

        created_at,

        _batch_id
    from source
)

select * from renamed
