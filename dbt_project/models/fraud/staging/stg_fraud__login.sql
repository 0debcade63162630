with source as (
    select * from {{ source("fraud", "app_db__login") }}
),

renamed as (
    select
        login_id,
        account_id,
        device_id,
        network_id,

        country,

        is_success,

        logged_in_at
    from source
)

select * from renamed
