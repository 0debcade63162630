with source as (
    select * from {{ source('matching', 'events__event') }}
),

renamed as (
    select
        event_id,
        account_id,
        visitor_id,
        coalesce(account_id, visitor_id) as person_id,
        provider_id,

        event_name,
        category_slug,
        municipality,

        result_count,

        is_signed_in,

        received_at,

        _batch_id
    from source
)

select * from renamed
