with source as (
    select * from {{ source("fraud", "stripe__bank_account") }}
),

renamed as (
    select
        bank_account_id,
        account_id,
        fingerprint as bank_fingerprint
    from source
)

select * from renamed
