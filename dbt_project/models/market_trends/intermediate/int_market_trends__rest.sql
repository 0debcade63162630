with contributions as (
    select * from {{ ref('int_market_trends__contribution') }}
),

sensitive as (
    select * from {{ ref('int_market_trends__cell') }}
    where suppression_reason is not null
),

of_cells as (
    select contributions.*
    from contributions
    inner join sensitive
        on
            contributions.category_id = sensitive.category_id
            and contributions.municipality = sensitive.municipality
            and contributions.month_start = sensitive.month_start
),

of_categories as (
    select contributions.*
    from contributions
    inner join sensitive
        on contributions.category_id = sensitive.category_id and contributions.month_start = sensitive.month_start
    where sensitive.is_total
),

of_municipalities as (
    select contributions.*
    from contributions
    inner join sensitive
        on contributions.municipality = sensitive.municipality and contributions.month_start = sensitive.month_start
    where sensitive.is_category_total
),

measured as (
    {{ market_trends_groups('of_cells', [['category_id', 'month_start'], ['municipality', 'month_start']]) }}
    union all
    {{ market_trends_groups('of_categories', [['month_start']]) }}
    union all
    {{ market_trends_groups('of_municipalities', [['month_start']]) }}
),

final as (
    select
        category_id,

        coalesce(municipality, 'all') as municipality,

        requests,
        bookings,
        completed_bookings,
        cancelled_bookings,
        searches,
        customers,
        providers,
        turnover_nok,

        {{ market_trends_reason() }} is not null as is_sensitive,

        month_start
    from measured
)

select * from final
