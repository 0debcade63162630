with source as (
    select * from {{ source('matching', 'stripe__charge') }}
),

renamed as (
    select
        _row_key as charge_id,
        booking_id,

        amount_captured as captured_ore,
        amount_refunded as refunded_ore,
        application_fee_amount as fee_ore,

        created_at as charged_on
    from source
)

select * from renamed
