with source as (
    select * from {{ source('matching', 'app_db__availability_slot') }}
),

renamed as (
    select
        slot_id,
        provider_id,

        state as slot_state,

        {{ minutes_between("starts_at", "ends_at") }} as slot_minutes,

        starts_at
    from source
)

select * from renamed
