with source as (
    select * from {{ source("fraud", "app_db__booking") }}
),

renamed as (
    select
        booking_id,
        customer_id,
        provider_id,

        status,

        price_nok,

        status = 'completed' or completed_at is not null or paid_at is not null as is_done,

        booked_at,
        completed_at,
        paid_at
    from source
)

select * from renamed
