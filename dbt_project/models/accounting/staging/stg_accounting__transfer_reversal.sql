with source as (
    select * from {{ source("accounting", "stripe__transfer_reversal") }}
),

renamed as (
    select
        transfer_reversal_id,
        transfer_id,
        balance_transaction_id,

        currency,

        amount as amount_ore,

        created_at,

        _batch_id
    from source
)

select * from renamed
