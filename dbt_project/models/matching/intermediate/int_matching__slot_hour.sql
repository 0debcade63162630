{{ config(materialized='view', meta={'erasure': 'computed'}) }}

with slots as (
    select * from {{ ref('stg_matching__availability_slot') }}
    where slot_state in ('open', 'booked') and ends_at > starts_at
),

measured as (
    select
        slot_id,
        provider_id,
        slot_state,
        {{ dbt.date_trunc('hour', 'starts_at') }} as first_hour,
        cast(
            ceil(({{ epoch_seconds('ends_at') }} - {{ epoch_seconds(dbt.date_trunc('hour', 'starts_at')) }}) / 3600)
            as bigint
        ) as hours,
        starts_at,
        ends_at,
        _batch_id
    from slots
),

numbered as (
    select
        slot_id,
        provider_id,
        slot_state,
        first_hour,
        {{ each_number_below('hours') }} as hour_number,
        starts_at,
        ends_at,
        _batch_id
    from measured
),

placed as (
    select
        slot_id,
        provider_id,
        slot_state,
        {{ dbt.dateadd('hour', 'hour_number', 'first_hour') }} as hour_start,
        {{ dbt.dateadd('hour', 'hour_number + 1', 'first_hour') }} as hour_end,
        starts_at,
        ends_at,
        _batch_id
    from numbered
),

clipped as (
    select
        slot_id,
        provider_id,
        slot_state,
        {{ minutes_between('greatest(starts_at, hour_start)', 'least(ends_at, hour_end)') }} as minutes,
        hour_start,
        _batch_id
    from placed
),

final as (
    select
        slot_id,
        provider_id,

        case when slot_state = 'open' then minutes else 0 end as open_minutes,
        case when slot_state = 'booked' then minutes else 0 end as booked_minutes,

        hour_start,
        {{ day_of('hour_start') }} as day,

        _batch_id
    from clipped
)

select * from final
