with source as (
    select * from {{ source('matching', 'app_db__service_request') }}
),

renamed as (
    select
        request_id,
        customer_id,
        category_id,

        municipality,
        status as request_status,

        latitude,
        longitude,

        created_at as requested_at,

        _batch_id
    from source
)

select * from renamed
