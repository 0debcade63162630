with requests as (
    select * from {{ ref('stg_matching__service_request') }}
),

candidates as (
    select * from {{ ref('stg_matching__request_candidate') }}
),

bookings as (
    select * from {{ ref('stg_matching__booking') }}
),

first_responses as (
    select
        request_id,
        min(responded_at) as first_responded_at
    from candidates
    where response in ('accepted', 'declined')
    group by request_id
),

filled_requests as (
    select distinct request_id
    from bookings
    where request_id is not null and booking_status <> 'cancelled'
),

joined as (
    select
        requests.request_id,
        requests.customer_id,
        requests.category_id,

        coalesce(requests.municipality, 'unknown') as municipality,

        {{ minutes_between('requests.requested_at', 'first_responses.first_responded_at') }}
            as minutes_to_first_response,

        first_responses.request_id is not null as is_responded,
        filled_requests.request_id is not null as is_filled,

        {{ iso_week_start('requests.requested_at') }} as week_start
    from requests
    left join first_responses on requests.request_id = first_responses.request_id
    left join filled_requests on requests.request_id = filled_requests.request_id
)

select * from joined
