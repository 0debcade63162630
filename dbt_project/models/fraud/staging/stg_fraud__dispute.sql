with source as (
    select * from {{ source("fraud", "stripe__dispute") }}
),

renamed as (
    select
        dispute_id,
        charge_id,

        reason,
        status,

        reason in ('fraudulent', 'unrecognized') and status != 'won' as is_fraud_claim,

        created_at
    from source
)

select * from renamed
