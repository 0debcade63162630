{{ config(contract={'enforced': true}) }}

with contributions as (
    select * from {{ ref('int_market_trends__contribution') }}
),

measured as (
    select
        category_id,
        municipality,

        {{ market_trends_figures() }},
        {{ market_trends_course() }},

        week_start
    from contributions
    group by category_id, municipality, week_start
)

select * from measured
