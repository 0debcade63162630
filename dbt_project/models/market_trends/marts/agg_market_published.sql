with cells as (
    select * from {{ ref('int_market_trends__cell') }}
    where not is_category_total
),

withheld as (
    select * from {{ ref('int_market_trends__withheld') }}
),

final as (
    select
        cells.category_id,

        cells.municipality,
        {{ market_trends_published_reason() }} as suppression_reason,

        {{ market_trends_published_figures() }},

        cells.is_total,

        cells.month_start
    from cells
    inner join withheld
        on
            cells.category_id = withheld.category_id
            and cells.municipality = withheld.municipality
            and cells.month_start = withheld.month_start
)

select * from final
