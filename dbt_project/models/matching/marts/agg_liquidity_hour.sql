with inputs as (
    select * from {{ ref('int_matching__liquidity_input') }}
),

figures as (
    select
        category_id,
        municipality,
        hour_of_week,
        {{ matching_liquidity_figures() }}
    from inputs
    group by category_id, municipality, hour_of_week
),

measured as (
    select
        category_id,
        municipality,
        {{ matching_health_quadrant() }} as health_quadrant,

        hour_of_week,
        searches,
        filled_searches,
        search_to_fill,
        requests,
        customers,
        responded_requests,
        filled_requests,
        fill_rate,
        median_minutes_to_first_response,
        p90_minutes_to_first_response,
        median_minutes_to_match,
        p90_minutes_to_match,
        open_slots,
        open_providers,
        requests_per_open_slot,
        cancelled_by_customer,
        cancelled_by_provider,
        cancelled_by_platform
    from figures
)

select * from measured
