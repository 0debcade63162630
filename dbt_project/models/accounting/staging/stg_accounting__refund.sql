with source as (
    select * from {{ source("accounting", "stripe__refund") }}
),

renamed as (
    select
        refund_id,
        charge_id,
        balance_transaction_id,

        status,
        currency,

        amount as amount_ore,

        created_at,

        _batch_id
    from source
)

select * from renamed
