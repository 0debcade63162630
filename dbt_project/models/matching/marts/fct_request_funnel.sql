{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='candidate_id',
        on_schema_change='fail',
        pre_hook=[
            "{{ remove_rows_without_source('candidate_id', ref('stg_matching__request_candidate')) }}",
            "{{ remove_rows_where(matching_funnel_input_is_gone()) }}",
        ]
    )
}}

with candidates as (
    select * from {{ ref('stg_matching__request_candidate') }}
),

requests as (
    select * from {{ ref('stg_matching__service_request') }}
),

bookings as (
    select * from {{ ref('stg_matching__booking') }}
),

{% if is_incremental() %}
changed_requests as (
    select request_id from requests where _batch_id > {{ newest_batch_seen() }}
    union
    select request_id from bookings where _batch_id > {{ newest_batch_seen() }}
),

candidates_to_build as (
    select * from candidates
    where
        _batch_id > {{ newest_batch_seen() }}
        or request_id in (select request_id from changed_requests where request_id is not null)
        or candidate_id not in (select candidate_id from {{ this }})
),
{% else %}
candidates_to_build as (
    select * from candidates
),
{% endif %}

bookings_by_candidate as (
    select
        request_id,
        provider_id,
        count(*) as booking_count,
        sum(case when booking_status = 'completed' then 1 else 0 end) as completed_booking_count,
        max(_batch_id) as _batch_id
    from bookings
    where request_id is not null and provider_id is not null
    group by request_id, provider_id
),

joined as (
    select
        candidates_to_build.candidate_id,
        candidates_to_build.request_id,
        candidates_to_build.provider_id,
        requests.category_id,

        requests.municipality,
        candidates_to_build.response,

        candidates_to_build.rank_position,
        candidates_to_build.price_nok,
        cast(coalesce(bookings_by_candidate.booking_count, 0) as bigint) as booking_count,
        case
            when candidates_to_build.response in ('accepted', 'declined')
                then {{ minutes_between('candidates_to_build.shown_at', 'candidates_to_build.responded_at') }}
        end as minutes_to_first_response,

        coalesce(candidates_to_build.response in ('accepted', 'declined'), false) as is_responded,
        coalesce(candidates_to_build.response = 'accepted', false) as is_accepted,
        coalesce(candidates_to_build.response = 'declined', false) as is_declined,
        coalesce(candidates_to_build.response = 'expired', false) as is_expired,
        coalesce(bookings_by_candidate.booking_count, 0) > 0 as is_booked,
        coalesce(bookings_by_candidate.completed_booking_count, 0) > 0 as is_completed,

        requests.requested_at,
        candidates_to_build.shown_at,
        candidates_to_build.responded_at,

        greatest(
            candidates_to_build._batch_id,
            coalesce(requests._batch_id, candidates_to_build._batch_id),
            coalesce(bookings_by_candidate._batch_id, candidates_to_build._batch_id)
        ) as _batch_id
    from candidates_to_build
    left join requests on candidates_to_build.request_id = requests.request_id
    left join bookings_by_candidate
        on
            candidates_to_build.request_id = bookings_by_candidate.request_id
            and candidates_to_build.provider_id = bookings_by_candidate.provider_id
)

select * from joined
