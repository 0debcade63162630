with source as (
    select * from {{ source('matching', 'app_db__service_offer') }}
),

renamed as (
    select
        offer_id,
        provider_id,
        category_id,

        price_nok,

        is_active,

        _batch_id
    from source
)

select * from renamed
