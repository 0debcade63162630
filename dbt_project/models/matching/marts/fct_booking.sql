{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='booking_id',
        on_schema_change='fail',
        pre_hook=[
            "{{ remove_rows_without_source('booking_id', ref('stg_matching__booking')) }}",
            "{{ remove_rows_where(matching_booking_input_is_gone()) }}",
        ]
    )
}}

with bookings as (
    select * from {{ ref('stg_matching__booking') }}
),

requests as (
    select * from {{ ref('stg_matching__service_request') }}
),

bookings_to_build as (
    select * from bookings
    {% if is_incremental() %}
    where
        _batch_id > {{ newest_batch_seen() }}
        or request_id in (select request_id from requests where _batch_id > {{ newest_batch_seen() }})
        or booking_id not in (select booking_id from {{ this }})
    {% endif %}
),

joined as (
    select
        bookings_to_build.booking_id,
        bookings_to_build.request_id,
        bookings_to_build.customer_id,
        bookings_to_build.provider_id,
        bookings_to_build.category_id,

        requests.municipality,
        bookings_to_build.booking_status,
        bookings_to_build.cancelled_by,

        bookings_to_build.price_nok,
        {{ minutes_between('bookings_to_build.starts_at', 'bookings_to_build.ends_at') }} as duration_minutes,
        {{ minutes_between('bookings_to_build.booked_at', 'bookings_to_build.starts_at') }} as lead_minutes,

        coalesce(bookings_to_build.booking_status = 'completed', false) as is_completed,
        coalesce(bookings_to_build.booking_status = 'cancelled', false) as is_cancelled,

        requests.requested_at,
        bookings_to_build.booked_at,
        bookings_to_build.starts_at,
        bookings_to_build.ends_at,
        bookings_to_build.completed_at,

        greatest(
            bookings_to_build._batch_id, coalesce(requests._batch_id, bookings_to_build._batch_id)
        ) as _batch_id
    from bookings_to_build
    left join requests on bookings_to_build.request_id = requests.request_id
)

select * from joined
