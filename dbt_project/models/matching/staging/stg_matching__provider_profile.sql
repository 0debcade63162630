with source as (
    select * from {{ source('matching', 'app_db__provider_profile') }}
),

renamed as (
    select
        account_id as provider_id,

        bio_length,
        skill_count,
        radius_km,

        published_at
    from source
)

select * from renamed
