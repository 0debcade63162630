with contributions as (
    select * from {{ ref('int_market_trends__contribution') }}
    where month_start < {{ month_start(today()) }}
),

months as (
    select * from {{ ref('agg_market_month') }}
    where month_start < {{ month_start(today()) }}
),

cells as (
    select
        *,
        {{ market_trends_is_small('months') }} as is_small
    from months
),

totals as (
    select
        category_id,
        month_start,
        {{ market_trends_figures() }}
    from contributions
    group by category_id, month_start
),

withheld_contributions as (
    select contributions.*
    from contributions
    inner join cells
        on
            contributions.category_id = cells.category_id
            and contributions.municipality = cells.municipality
            and contributions.month_start = cells.month_start
    where cells.is_small
),

withheld as (
    select
        category_id,
        month_start,
        count(distinct municipality) as cell_count,
        {{ market_trends_figures() }}
    from withheld_contributions
    group by category_id, month_start
),

published_cells as (
    select
        category_id,
        municipality,
        month_start,
        false as is_total,
        case when is_small then 'too_few_people' end as suppression_reason,
        requests,
        bookings,
        completed_bookings,
        cancelled_bookings,
        searches,
        customers,
        providers,
        case
            when booking_customers >= {{ disclosure_limit('market_trends', 'min_customers') }} then price_median_nok
        end as price_median_nok
    from cells
),

published_totals as (
    select
        totals.category_id,
        'all' as municipality,
        totals.month_start,
        true as is_total,
        case
            when {{ market_trends_is_small('totals') }} then 'too_few_people'
            when withheld.cell_count = 1 or {{ market_trends_is_small('withheld') }} then 'would_reveal_a_part'
        end as suppression_reason,
        {{ market_trends_safe_total('requests') }} as requests,
        {{ market_trends_safe_total('bookings') }} as bookings,
        {{ market_trends_safe_total('completed_bookings') }} as completed_bookings,
        {{ market_trends_safe_total('cancelled_bookings') }} as cancelled_bookings,
        {{ market_trends_safe_total('searches') }} as searches,
        totals.customers,
        totals.providers,
        case
            when totals.booking_customers >= {{ disclosure_limit('market_trends', 'min_customers') }}
                then totals.price_median_nok
        end as price_median_nok
    from totals
    left join withheld on totals.category_id = withheld.category_id and totals.month_start = withheld.month_start
),

combined as (
    select * from published_cells
    union all
    select * from published_totals
),

final as (
    select
        category_id,

        municipality,
        suppression_reason,

        {% for figure in [
            'requests', 'bookings', 'completed_bookings', 'cancelled_bookings', 'searches', 'customers', 'providers',
            'price_median_nok'
        ] -%}
        case when suppression_reason is null then {{ figure }} end as {{ figure }},
        {% endfor %}
        is_total,

        month_start
    from combined
)

select * from final
