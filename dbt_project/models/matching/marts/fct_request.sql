{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='request_id',
        on_schema_change='fail',
        pre_hook=[
            "{{ remove_rows_without_source('request_id', ref('stg_matching__service_request')) }}",
            "{{ remove_rows_where(matching_request_input_is_gone()) }}",
        ]
    )
}}

with requests as (
    select * from {{ ref('stg_matching__service_request') }}
),

candidates as (
    select * from {{ ref('stg_matching__request_candidate') }}
),

bookings as (
    select * from {{ ref('stg_matching__booking') }}
),

requests_to_build as (
    select * from requests
    {% if is_incremental() %}
    where
        _batch_id > {{ newest_batch_seen() }}
        or request_id in (select request_id from candidates where _batch_id > {{ newest_batch_seen() }})
        or request_id in (select request_id from bookings where _batch_id > {{ newest_batch_seen() }})
        or request_id not in (select request_id from {{ this }})
    {% endif %}
),

answers as (
    select
        request_id,
        count(*) as candidate_count,
        cast(sum(case when response in ('accepted', 'declined') then 1 else 0 end) as bigint) as answer_count,
        min(case when response in ('accepted', 'declined') then responded_at end) as first_responded_at,
        max(_batch_id) as _batch_id
    from candidates
    where request_id in (select request_id from requests_to_build)
    group by request_id
),

jobs as (
    select
        request_id,
        count(*) as booking_count,
        cast(sum(case when booking_status <> 'cancelled' then 1 else 0 end) as bigint) as standing_count,
        min(booked_at) as first_booked_at,
        max(_batch_id) as _batch_id
    from bookings
    where request_id in (select request_id from requests_to_build)
    group by request_id
),

joined as (
    select
        requests_to_build.request_id,
        requests_to_build.customer_id,
        requests_to_build.category_id,

        coalesce(requests_to_build.municipality, 'unknown') as municipality,
        requests_to_build.request_status,

        coalesce(answers.candidate_count, 0) as candidate_count,
        coalesce(jobs.booking_count, 0) as booking_count,
        case
            when answers.first_responded_at >= requests_to_build.requested_at
                then {{ minutes_between('requests_to_build.requested_at', 'answers.first_responded_at') }}
        end as minutes_to_first_response,
        case
            when jobs.first_booked_at >= requests_to_build.requested_at
                then {{ minutes_between('requests_to_build.requested_at', 'jobs.first_booked_at') }}
        end as minutes_to_match,

        coalesce(answers.answer_count, 0) > 0 as is_responded,
        coalesce(jobs.booking_count, 0) > 0 as is_matched,
        coalesce(jobs.standing_count, 0) > 0 as is_filled,

        requests_to_build.requested_at,

        greatest(
            requests_to_build._batch_id,
            coalesce(answers._batch_id, requests_to_build._batch_id),
            coalesce(jobs._batch_id, requests_to_build._batch_id)
        ) as _batch_id
    from requests_to_build
    left join answers on requests_to_build.request_id = answers.request_id
    left join jobs on requests_to_build.request_id = jobs.request_id
)

select * from joined
