with source as (
    select * from {{ source("accounting", "stripe__application_fee") }}
),

renamed as (
    select
        application_fee_id,
        originating_charge_id as charge_id,
        provider_id,
        balance_transaction_id,

        currency,

        amount as amount_ore,
        amount_refunded as refunded_ore,

        created_at,

        _batch_id
    from source
)

select * from renamed
