{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='session_id',
        on_schema_change='fail',
        pre_hook=[
            "{{ remove_rows_without_source('session_id', ref('stg_matching__event'), 'event_id') }}",
            "{{ remove_rows_where(matching_session_is_stale()) }}",
        ]
    )
}}

with events as (
    select * from {{ ref('stg_matching__event') }}
    where person_id is not null
),

people_to_build as (
    select distinct person_id
    from events
    {% if is_incremental() %}
    where
        _batch_id > {{ newest_batch_seen() }}
        or person_id not in (select person_id from {{ this }})
    {% endif %}
),

ordered as (
    select
        events.*,
        lag(events.received_at) over (
            partition by events.person_id order by events.received_at, events.event_id
        ) as previous_received_at
    from events
    inner join people_to_build on events.person_id = people_to_build.person_id
),

marked as (
    select
        *,
        coalesce(
            {{ minutes_between('previous_received_at', 'received_at') }} > {{ session_silence_minutes() }}, true
        ) as begins_session
    from ordered
),

numbered as (
    select
        *,
        sum(case when begins_session then 1 else 0 end) over (
            partition by person_id order by received_at, event_id rows between unbounded preceding and current row
        ) as session_number
    from marked
),

sessions as (
    select
        min(case when begins_session then event_id end) as session_id,
        person_id,

        count(*) as event_count,
        count(case when event_name = 'Search Performed' then 1 end) as searches,
        count(case when event_name = 'Provider Viewed' then 1 end) as provider_views,
        count(case when event_name = 'Request Started' then 1 end) as requests_started,
        count(case when event_name = 'Request Sent' then 1 end) as requests_sent,
        {{ minutes_between('min(received_at)', 'max(received_at)') }} as duration_minutes,

        max(case when is_signed_in then 1 else 0 end) = 1 as is_signed_in,

        min(received_at) as started_at,
        max(received_at) as ended_at,

        max(_batch_id) as _batch_id
    from numbered
    group by person_id, session_number
)

select * from sessions
{% if is_incremental() %}
where session_id not in (select built.session_id from {{ this }} as built)
{% endif %}
