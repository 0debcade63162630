with source as (
    select * from {{ source('matching', 'app_db__review') }}
),

renamed as (
    select
        review_id,
        booking_id,
        subject_id,

        rating,

        created_at as reviewed_on
    from source
)

select * from renamed
