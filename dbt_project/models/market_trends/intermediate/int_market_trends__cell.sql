with contributions as (
    select * from {{ ref('int_market_trends__contribution') }}
    where month_start < {{ newest_edition_end() }}
),

measured as (
    {{ market_trends_groups('contributions', [
        ['category_id', 'municipality', 'month_start'],
        ['category_id', 'month_start'],
        ['municipality', 'month_start'],
        ['month_start'],
    ]) }}
),

final as (
    select
        category_id,

        coalesce(municipality, 'all') as municipality,
        {{ market_trends_reason() }} as suppression_reason,

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

        category_id is null as is_category_total,
        municipality is null as is_total,

        month_start
    from measured
)

select * from final
