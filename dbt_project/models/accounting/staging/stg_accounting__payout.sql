with source as (
    select * from {{ source("accounting", "stripe__payout") }}
),

renamed as (
    select
        payout_id,
        provider_id,
        balance_transaction_id,

        status,
        currency,

        amount as amount_ore,

        cast(created_at as timestamptz) as created_at,
        arrival_date,

        _batch_id
    from source
)

select * from renamed
