{{ config(materialized='view', meta={'erasure': 'computed'}) }}

{%- set sums = ranking_history_sums() %}

with candidates as (
    select * from {{ ref('stg_matching__request_candidate') }}
),

reviews as (
    select * from {{ ref('stg_matching__review') }}
),

bookings as (
    select * from {{ ref('stg_matching__booking') }}
),

slots as (
    select * from {{ ref('stg_matching__availability_slot') }}
),

timed as (
    select
        *,
        case when response in ('accepted', 'declined') then responded_at end as answered_at,
        {{ dbt.dateadd('hour', ranking_answer_hours(), 'shown_at') }} as ended_at
    from candidates
),

combined as (
    select
        provider_id,
        answered_at as known_at,
        {{ counted_in(sums, {
            'answers': '1',
            'accepted': "case when response = 'accepted' then 1 else 0 end",
            'response_minutes': 'least(' ~ minutes_between('shown_at', 'answered_at') ~ ', 1440)',
        }) }}
    from timed
    where answered_at is not null
    union all
    -- shown long enough ago for an answer, without one; taken back if one comes after all, which counts by itself
    select
        provider_id,
        ended_at as known_at,
        {{ counted_in(sums, {'ended': '1'}) }}
    from timed
    where answered_at is null or answered_at > ended_at
    union all
    select
        provider_id,
        answered_at as known_at,
        {{ counted_in(sums, {'ended': '-1'}) }}
    from timed
    where answered_at > ended_at
    union all
    -- known from the day after: of the day itself the hour is not known
    select
        subject_id as provider_id,
        {{ begins_at(dbt.dateadd('day', 1, 'reviewed_on')) }} as known_at,
        {{ counted_in(sums, {'reviews': '1', 'rating_sum': 'rating'}) }}
    from reviews
    union all
    select
        provider_id,
        booked_at as known_at,
        {{ counted_in(sums, {'bookings': '1'}) }}
    from bookings
    union all
    select
        provider_id,
        starts_at as known_at,
        {{ counted_in(sums, {'free_slots': '1'}) }}
    from slots
    where slot_state = 'open'
    union all
    select
        provider_id,
        {{ dbt.dateadd('day', ranking_capacity_days(), 'starts_at') }} as known_at,
        {{ counted_in(sums, {'free_slots': '-1'}) }}
    from slots
    where slot_state = 'open'
)

select * from combined
where provider_id is not null and known_at is not null
