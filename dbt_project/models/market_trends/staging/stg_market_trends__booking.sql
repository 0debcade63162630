with source as (
    select * from {{ source('market_trends', 'app_db__booking') }}
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
        starts_at
    from source
)

select * from renamed
