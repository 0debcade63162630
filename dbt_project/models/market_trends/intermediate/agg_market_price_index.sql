{{ config(contract={'enforced': true}) }}

with bookings as (
    select * from {{ ref('int_market_trends__contribution') }}
    where kind = 'booking' and price_nok is not null
),

cells as (
    select
        category_id,
        municipality,
        month_start,
        sum(price_nok) as turnover_nok,
        avg(price_nok) as mean_price_nok
    from bookings
    group by category_id, municipality, month_start
),

first_months as (
    select
        category_id,
        min(month_start) as base_month_start
    from cells
    group by category_id
),

bases as (
    select
        bookings.category_id,
        bookings.municipality,
        sum(bookings.price_nok) as base_turnover_nok,
        avg(bookings.price_nok) as base_price_nok
    from bookings
    inner join first_months on bookings.category_id = first_months.category_id
    where {{ months_between('first_months.base_month_start', 'bookings.month_start') }} < 12
    group by bookings.category_id, bookings.municipality
),

indexed as (
    select
        cells.category_id,
        cells.month_start,
        count(*) as municipalities,
        100.0 * sum(bases.base_turnover_nok * cells.mean_price_nok / nullif(bases.base_price_nok, 0))
        / nullif(sum(bases.base_turnover_nok), 0) as price_index
    from cells
    inner join bases on cells.category_id = bases.category_id and cells.municipality = bases.municipality
    group by cells.category_id, cells.month_start
),

final as (
    select
        category_id,

        municipalities,
        cast(price_index as double) as price_index,

        month_start
    from indexed
)

select * from final
