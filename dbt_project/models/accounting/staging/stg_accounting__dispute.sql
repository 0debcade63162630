with source as (
    select * from {{ source("accounting", "stripe__dispute") }}
),

renamed as (
    select
        dispute_id,
        charge_id,

        status,
        currency,

        amount as amount_ore,

        created_at,

        _batch_id
    from source
)

select * from renamed
