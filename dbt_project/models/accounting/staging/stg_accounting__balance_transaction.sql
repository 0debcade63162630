with source as (
    select * from {{ source("accounting", "stripe__balance_transaction") }}
),

renamed as (
    select
        balance_transaction_id,
        provider_id,
        source_id,

        type as entry_type,
        reporting_category,
        status,
        currency,

        amount as amount_ore,
        fee as fee_ore,
        net as net_ore,

        cast(created_at as timestamptz) as created_at,
        cast(available_on as timestamptz) as available_at,

        _batch_id
    from source
)

select * from renamed
