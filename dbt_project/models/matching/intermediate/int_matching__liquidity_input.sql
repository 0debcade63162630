{{ config(materialized='view', meta={'erasure': 'computed'}) }}

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
        0 as searches,
        0 as known_searches,
        0 as zero_result_searches,
        0 as filled_searches,
        1 as requests,
        case when is_responded then 1 else 0 end as responded_requests,
        case when is_filled then 1 else 0 end as filled_requests,
        case when not is_filled and request_status in ('expired', 'cancelled') then 1 else 0 end as unfilled_requests,
        case when candidate_count = 0 then 1 else 0 end as unshown_requests,
        minutes_to_first_response,
        minutes_to_match,
        0 as open_slots,
        0 as cancelled_by_customer,
        0 as cancelled_by_provider,
        0 as cancelled_by_platform,
        1 + candidate_count + booking_count as input_rows,
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
        1 as searches,
        case when account_id is not null then 1 else 0 end as known_searches,
        case when is_zero_result then 1 else 0 end as zero_result_searches,
        case when is_filled then 1 else 0 end as filled_searches,
        0 as requests,
        0 as responded_requests,
        0 as filled_requests,
        0 as unfilled_requests,
        0 as unshown_requests,
        cast(null as bigint) as minutes_to_first_response,
        cast(null as bigint) as minutes_to_match,
        0 as open_slots,
        0 as cancelled_by_customer,
        0 as cancelled_by_provider,
        0 as cancelled_by_platform,
        1 as input_rows,
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
        0 as searches,
        0 as known_searches,
        0 as zero_result_searches,
        0 as filled_searches,
        0 as requests,
        0 as responded_requests,
        0 as filled_requests,
        0 as unfilled_requests,
        0 as unshown_requests,
        cast(null as bigint) as minutes_to_first_response,
        cast(null as bigint) as minutes_to_match,
        1 as open_slots,
        0 as cancelled_by_customer,
        0 as cancelled_by_provider,
        0 as cancelled_by_platform,
        1 as input_rows,
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
        0 as searches,
        0 as known_searches,
        0 as zero_result_searches,
        0 as filled_searches,
        0 as requests,
        0 as responded_requests,
        0 as filled_requests,
        0 as unfilled_requests,
        0 as unshown_requests,
        cast(null as bigint) as minutes_to_first_response,
        cast(null as bigint) as minutes_to_match,
        0 as open_slots,
        case when cancelled_by = 'customer' then 1 else 0 end as cancelled_by_customer,
        case when cancelled_by = 'provider' then 1 else 0 end as cancelled_by_provider,
        case when cancelled_by = 'platform' then 1 else 0 end as cancelled_by_platform,
        1 as input_rows,
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
