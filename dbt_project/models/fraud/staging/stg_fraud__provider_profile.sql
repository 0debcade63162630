with source as (
    select * from {{ source("fraud", "app_db__provider_profile") }}
),

renamed as (
    select
        account_id,

        org_number as org_number_key,
        bank_account as bank_account_key,

        org_number_validity,
        bank_account_validity,
        organisation_registration,

        organisation_is_deregistered,
        organisation_is_bankrupt,
        organisation_is_winding_up,
        name_is_as_registered,

        published_at,
        updated_at
    from source
)

select * from renamed
