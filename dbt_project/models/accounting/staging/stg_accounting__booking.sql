with source as (
    select * from {{ source("accounting", "app_db__booking") }}
),

renamed as (
    select
        booking_id,
        customer_id,
        provider_id,
        payment_intent_id,

        status,
        payment_method,

        cast(round(price_nok * 100) as bigint) as price_ore,
        cast(round(platform_fee_nok * 100) as bigint) as platform_fee_ore,

        booked_at,
        completed_at,
        paid_at,

        _batch_id
    from source
)

select * from renamed
