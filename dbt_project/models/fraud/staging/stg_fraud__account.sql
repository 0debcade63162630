with source as (
    select * from {{ source("fraud", "app_db__account") }}
),

renamed as (
    select
        account_id,

        email as email_key,
        phone as phone_key,
        national_id as national_id_key,
        referral_code as referral_code_key,

        municipality,
        status,
        phone_validity,
        national_id_validity,
        postal_code_validity,

        is_provider,
        is_of_age,
        is_age_verified,

        created_at,
        updated_at
    from source
)

select * from renamed
