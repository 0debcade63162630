with source as (
    select * from {{ source('matching', 'events__event') }}
),

renamed as (
    select
        event_id,
        account_id,
        visitor_id,
        provider_id,

        event_name,
        category_slug,
        municipality,

        result_count,

        received_at,

        _batch_id
    from source
)

select * from renamed
