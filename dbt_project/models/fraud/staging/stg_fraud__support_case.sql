with source as (
    select * from {{ source("fraud", "app_db__support_case") }}
),

renamed as (
    select
        case_id,
        account_id,
        about_account_id,

        topic,

        opened_at,
        closed_at
    from source
)

select * from renamed
