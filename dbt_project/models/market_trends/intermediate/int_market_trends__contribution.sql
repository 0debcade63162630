{{ config(materialized='view') }}

with requests as (
    select * from {{ ref('stg_market_trends__service_request') }}
),

bookings as (
    select * from {{ ref('stg_market_trends__booking') }}
),

events as (
    select * from {{ ref('stg_market_trends__event') }}
),

categories as (
    select * from {{ ref('stg_market_trends__service_category') }}
),

request_rows as (
    select
        category_id,
        coalesce(municipality, 'unknown') as municipality,
        {{ month_start('requested_at') }} as month_start,
        {{ iso_week_start('requested_at') }} as week_start,
        'request' as kind,
        customer_id,
        cast(null as {{ uuid_type() }}) as provider_id,
        cast(null as bigint) as price_nok,
        cast(null as bigint) as lead_days,
        cast(null as {{ dbt.type_string() }}) as cancelled_by,
        false as is_completed,
        false as is_cancelled
    from requests
),

booking_rows as (
    select
        bookings.category_id,
        coalesce(requests.municipality, 'unknown') as municipality,
        {{ month_start('bookings.booked_at') }} as month_start,
        {{ iso_week_start('bookings.booked_at') }} as week_start,
        'booking' as kind,
        bookings.customer_id,
        bookings.provider_id,
        bookings.price_nok,
        {{ days_between('bookings.booked_at', 'bookings.starts_at') }} as lead_days,
        case when bookings.booking_status = 'cancelled' then bookings.cancelled_by end as cancelled_by,
        coalesce(bookings.booking_status = 'completed', false) as is_completed,
        coalesce(bookings.booking_status = 'cancelled', false) as is_cancelled
    from bookings
    left join requests on bookings.request_id = requests.request_id
),

search_rows as (
    select
        categories.category_id,
        coalesce(events.municipality, 'unknown') as municipality,
        {{ month_start('events.received_at') }} as month_start,
        {{ iso_week_start('events.received_at') }} as week_start,
        'search' as kind,
        cast(null as {{ uuid_type() }}) as customer_id,
        cast(null as {{ uuid_type() }}) as provider_id,
        cast(null as bigint) as price_nok,
        cast(null as bigint) as lead_days,
        cast(null as {{ dbt.type_string() }}) as cancelled_by,
        false as is_completed,
        false as is_cancelled
    from events
    inner join categories on events.category_slug = categories.category_slug
    where events.event_name = 'Search Performed'
),

combined as (
    select * from request_rows
    union all
    select * from booking_rows
    union all
    select * from search_rows
)

select * from combined
