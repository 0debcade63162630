with source as (
    select * from {{ source("accounting", "stripe__charge") }}
),

renamed as (
    select
        charge_id,
        payment_intent_id,
        booking_id,
        customer_id,
        provider_id,
        balance_transaction_id,

        status,
        currency,
        payment_method_type,

        amount as amount_ore,
        amount_captured as captured_ore,
        amount_refunded as refunded_ore,
        application_fee_amount as application_fee_ore,

        is_paid,
        is_captured,
        is_disputed,

        created_at,

        _batch_id
    from source
)

select * from renamed
