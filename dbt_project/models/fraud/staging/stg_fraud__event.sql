with source as (
    select * from {{ source("fraud", "events__event") }}
),

renamed as (
    select
        event_id,
        account_id,
        booking_id,
        device_id,
        network_id,

        event_name,
        country,

        received_at
    from source
)

select * from renamed
