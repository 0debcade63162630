with source as (
    select * from {{ source("fraud", "stripe__identity_verification_session") }}
),

renamed as (
    select
        verification_session_id as identity_check_id,
        account_id,

        status,

        created_at
    from source
)

select * from renamed
