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
        *,
        {{ matching_health_quadrant() }} as health_quadrant
    from figures
)

select * from measured
