{{ config(materialized='view', meta={'erasure': 'computed'}) }}

{%- set counts = [
    'searches', 'known_searches', 'zero_result_searches', 'filled_searches', 'requests', 'responded_requests',
    'filled_requests', 'unfilled_requests', 'unshown_requests', 'open_slots', 'cancelled_by_customer',
    'cancelled_by_provider', 'cancelled_by_platform', 'input_rows',
] %}

with requests as (
    select * from {{ ref('fct_request') }}
),

searches as (
    select * from {{ ref('fct_search') }}
),

bookings as (
    select * from {{ ref('fct_booking') }}
),

slots as (
    select * from {{ ref('stg_matching__availability_slot') }}
),

offers as (
    select * from {{ ref('stg_matching__service_offer') }}
),

accounts as (
    select * from {{ ref('stg_matching__account') }}
),

offered_categories as (
    select
        provider_id,
        category_id,
        max(_batch_id) as _batch_id
    from offers
    where is_active
    group by provider_id, category_id
),

request_rows as (
    select
        category_id,
        municipality,
        requested_at as counted_at,
        customer_id,
        cast(null as {{ uuid_type() }}) as provider_id,
        minutes_to_first_response,
        minutes_to_match,
        {{ counted_in(counts, {
            'requests': '1',
            'responded_requests': 'case when is_responded then 1 else 0 end',
            'filled_requests': 'case when is_filled then 1 else 0 end',
            'unfilled_requests':
                "case when not is_filled and request_status in ('expired', 'cancelled') then 1 else 0 end",
            'unshown_requests': 'case when candidate_count = 0 then 1 else 0 end',
            'input_rows': '1 + candidate_count + booking_count',
        }) }},
        _batch_id
    from requests
),

search_rows as (
    select
        category_id,
        municipality,
        searched_at as counted_at,
        cast(null as {{ uuid_type() }}) as customer_id,
        cast(null as {{ uuid_type() }}) as provider_id,
        cast(null as bigint) as minutes_to_first_response,
        cast(null as bigint) as minutes_to_match,
        {{ counted_in(counts, {
            'searches': '1',
            'known_searches': 'case when account_id is not null then 1 else 0 end',
            'zero_result_searches': 'case when is_zero_result then 1 else 0 end',
            'filled_searches': 'case when is_filled then 1 else 0 end',
            'input_rows': '1',
        }) }},
        _batch_id
    from searches
    where category_id is not null
),

slot_rows as (
    select
        offered_categories.category_id,
        coalesce(accounts.municipality, 'unknown') as municipality,
        slots.starts_at as counted_at,
        cast(null as {{ uuid_type() }}) as customer_id,
        slots.provider_id,
        cast(null as bigint) as minutes_to_first_response,
        cast(null as bigint) as minutes_to_match,
        {{ counted_in(counts, {'open_slots': '1', 'input_rows': '1'}) }},
        greatest(
            slots._batch_id, offered_categories._batch_id, coalesce(accounts._batch_id, slots._batch_id)
        ) as _batch_id
    from slots
    inner join offered_categories on slots.provider_id = offered_categories.provider_id
    left join accounts on slots.provider_id = accounts.account_id
    where slots.slot_state = 'open'
),

cancellation_rows as (
    select
        category_id,
        coalesce(municipality, 'unknown') as municipality,
        booked_at as counted_at,
        cast(null as {{ uuid_type() }}) as customer_id,
        cast(null as {{ uuid_type() }}) as provider_id,
        cast(null as bigint) as minutes_to_first_response,
        cast(null as bigint) as minutes_to_match,
        {{ counted_in(counts, {
            'cancelled_by_customer': "case when cancelled_by = 'customer' then 1 else 0 end",
            'cancelled_by_provider': "case when cancelled_by = 'provider' then 1 else 0 end",
            'cancelled_by_platform': "case when cancelled_by = 'platform' then 1 else 0 end",
            'input_rows': '1',
        }) }},
        _batch_id
    from bookings
    where is_cancelled
),

combined as (
    select * from request_rows
    union all
    select * from search_rows
    union all
    select * from slot_rows
    union all
    select * from cancellation_rows
),

dated as (
    select
        *,
        {{ hour_of_week('counted_at') }} as hour_of_week,
        {{ day_of('counted_at') }} as day
    from combined
)

select * from dated
