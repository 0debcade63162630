with source as (
    select * from {{ source("fraud", "stripe__radar_early_fraud_warning") }}
),

renamed as (
    select
        early_fraud_warning_id,
        charge_id,

        fraud_type,

        created_at
    from source
)

select * from renamed
