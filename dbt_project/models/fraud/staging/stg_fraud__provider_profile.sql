with source as (
    select * from {{ source("fraud", "app_db__provider_profile") }}
),

renamed as (
    select
        account_id,

        org_number as org_number_key,
        bank_account as bank_account_key,

        published_at,
        updated_at
    from source
)

select * from renamed
