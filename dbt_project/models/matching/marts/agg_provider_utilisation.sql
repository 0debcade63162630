with slots as (
    select * from {{ ref('stg_matching__availability_slot') }}
),

weeks as (
    select
        provider_id,
        {{ iso_week_start('starts_at') }} as week_start,
        cast(sum(case when slot_state = 'open' then slot_minutes else 0 end) as bigint) as open_minutes,
        cast(sum(case when slot_state = 'booked' then slot_minutes else 0 end) as bigint) as booked_minutes
    from slots
    where slot_state in ('open', 'booked')
    group by provider_id, {{ iso_week_start('starts_at') }}
),

measured as (
    select
        provider_id,

        open_minutes,
        booked_minutes,
        cast(booked_minutes as double) / nullif(open_minutes + booked_minutes, 0) as utilisation,

        week_start
    from weeks
)

select * from measured
