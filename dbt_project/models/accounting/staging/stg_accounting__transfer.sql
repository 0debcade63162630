with source as (
    select * from {{ source("accounting", "stripe__transfer") }}
),

renamed as (
    select
        transfer_id,
        charge_id,
        provider_id,
        balance_transaction_id,

        currency,

        amount as amount_ore,
        amount_reversed as reversed_ore,

        created_at,

        _batch_id
    from source
)

select * from renamed
