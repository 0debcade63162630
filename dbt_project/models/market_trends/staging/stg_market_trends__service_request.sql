with source as (
    select * from {{ source('market_trends', 'app_db__service_request') }}
),

renamed as (
    select
        request_id,
        customer_id,
        category_id,

        municipality,

        created_at as requested_at
    from source
)

select * from renamed
