with source as (
    select * from {{ source("accounting", "app_db__provider_profile") }}
),

renamed as (
    select
        account_id,

        display_name,
        org_number,

        is_vat_registered
    from source
)

select * from renamed
