with source as (
    select * from {{ source('matching', 'app_db__account') }}
),

renamed as (
    select
        account_id,

        municipality,
        status as account_status,

        latitude,
        longitude,

        is_provider,

        _batch_id
    from source
)

select * from renamed
