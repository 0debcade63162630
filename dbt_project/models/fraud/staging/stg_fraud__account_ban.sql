with source as (
    select * from {{ source("fraud", "app_db__account_ban") }}
),

renamed as (
    select
        account_id,

        lifted_at is null as is_in_force,

        banned_at,
        lifted_at
    from source
)

select * from renamed
