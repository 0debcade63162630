with source as (
    select * from {{ source('matching', 'app_db__request_candidate') }}
),

renamed as (
    select
        _row_key as candidate_id,
        request_id,
        provider_id,

        response,

        rank_position,
        price_nok,

        shown_at,
        responded_at,

        _batch_id
    from source
)

select * from renamed
