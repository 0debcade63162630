with source as (
    select * from {{ source('market_trends', 'events__event') }}
),

renamed as (
    select
        event_id,

        event_name,
        category_slug,
        municipality,

        received_at
    from source
)

select * from renamed
