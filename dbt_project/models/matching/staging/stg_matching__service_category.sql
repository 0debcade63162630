with source as (
    select * from {{ source('matching', 'app_db__service_category') }}
),

renamed as (
    select
        category_id,

        slug as category_slug,
        name_nb,
        name_en
    from source
)

select * from renamed
