with source as (
    select * from {{ source('matching', 'app_db__account') }}
),

renamed as (
    select
        account_id,

        municipality,
        status as account_status,

        is_provider
    from source
)

select * from renamed
