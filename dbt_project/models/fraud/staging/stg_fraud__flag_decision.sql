with source as (
    select * from {{ source("fraud", "app_db__fraud_flag_decision") }}
),

renamed as (
    select
        decision_id,
        flag_id,

        decision,

        is_contested,

        decided_at
    from source
)

select * from renamed
