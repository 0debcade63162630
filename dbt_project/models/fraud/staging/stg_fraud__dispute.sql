with source as (
    select * from {{ source("fraud", "stripe__dispute") }}
),

renamed as (
    select
        dispute_id,
        charge_id,

        reason,
        status,

        reason in ('fraudulent', 'unrecognized') as is_fraud_reason,
        status in ('won', 'warning_closed') as is_closed_in_favour,
        reason in ('fraudulent', 'unrecognized') and status not in ('won', 'warning_closed') as is_fraud_claim,

        created_at
    from source
)

select * from renamed
