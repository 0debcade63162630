with source as (
    select * from {{ source('matching', 'app_db__booking') }}
),

renamed as (
    select
        booking_id,
        request_id,
        customer_id,
        provider_id,
        category_id,

        status as booking_status,
        cancelled_by,

        price_nok,

        booked_at,
        starts_at,
        ends_at,
        completed_at,

        _batch_id
    from source
)

select * from renamed
