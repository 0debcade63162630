with source as (
    select * from {{ source('matching', 'app_db__availability_slot') }}
),

renamed as (
    select
        slot_id,
        provider_id,

        state as slot_state,

        starts_at,
        ends_at,

        _batch_id
    from source
)

select * from renamed
