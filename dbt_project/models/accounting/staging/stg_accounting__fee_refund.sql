with source as (
    select * from {{ source("accounting", "stripe__fee_refund") }}
),

renamed as (
    select
        fee_refund_id,
        application_fee_id,
        balance_transaction_id,

        currency,

        amount as amount_ore,

        created_at,

        _batch_id
    from source
)

select * from renamed
