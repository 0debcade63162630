{{ config(materialized='view', meta={'erasure': 'computed'}) }}

{%- set sums = ranking_history_sums() %}
{%- set ended_at = dbt.dateadd('hour', ranking_answer_hours(), 'shown_at') %}

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

answers as (
    select * from candidates
    where response in ('accepted', 'declined') and responded_at is not null
),

combined as (
    select
        provider_id,
        responded_at as known_at,
        {{ counted_in(sums, {
            'answers': '1',
            'accepted': "case when response = 'accepted' then 1 else 0 end",
            'response_minutes': 'least(' ~ minutes_between('shown_at', 'responded_at') ~ ', 1440)',
        }) }}
    from answers
    union all
    -- shown long enough ago for an answer; taken back if there is one, which counts by itself
    select
        provider_id,
        {{ ended_at }} as known_at,
        {{ counted_in(sums, {'ended': '1'}) }}
    from candidates
    union all
    select
        provider_id,
        greatest(responded_at, {{ ended_at }}) as known_at,
        {{ counted_in(sums, {'ended': '-1'}) }}
    from answers
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
