{{ config(contract={'enforced': true}) }}

with contributions as (
    select * from {{ ref('int_market_trends__contribution') }}
),

measured as (
    select
        category_id,
        municipality,
        week_start,
        {{ market_trends_figures() }},
        {{ market_trends_course() }}
    from contributions
    group by category_id, municipality, week_start
),

final as (
    select
        category_id,
        municipality,

        requests,
        bookings,
        completed_bookings,
        cancelled_bookings,
        searches,
        customers,
        providers,
        booking_customers,
        turnover_nok,
        price_median_nok,
        lead_days_median,
        cancelled_by_customer,
        cancelled_by_provider,
        cancelled_by_platform,
        cancellation_rate,

        week_start
    from measured
)

select * from final
