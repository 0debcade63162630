with source as (
    select * from {{ source("fraud", "stripe__payment_method") }}
),

renamed as (
    select
        payment_method_id,
        account_id,
        card_fingerprint,

        created_at
    from source
)

select * from renamed
