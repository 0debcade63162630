with cells as (
    select * from {{ ref('int_market_trends__cell') }}
    where is_category_total
),

withheld as (
    select * from {{ ref('int_market_trends__withheld') }}
    where category_id is null
),

final as (
    select
        cells.municipality,
        {{ market_trends_published_reason() }} as suppression_reason,

        {{ market_trends_published_figures() }},

        cells.is_total,

        cells.month_start
    from cells
    inner join withheld on cells.municipality = withheld.municipality and cells.month_start = withheld.month_start
)

select * from final
