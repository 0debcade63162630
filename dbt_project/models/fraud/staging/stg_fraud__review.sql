with source as (
    select * from {{ source("fraud", "app_db__review") }}
),

renamed as (
    select
        review_id,
        booking_id,
        author_id,
        subject_id,

        rating,

        created_at
    from source
)

select * from renamed
