with published as (
    select * from {{ ref('agg_market_published') }}
    where is_total
),

months as (
    select distinct month_start from published
),

first_months as (
    select
        category_id,
        min(month_start) as first_month_start
    from published
    group by category_id
),

series as (
    select
        first_months.category_id,
        months.month_start,
        case when published.category_id is null then 0 else published.requests end as requests,
        case when published.category_id is null then 0 else published.bookings end as bookings
    from first_months
    inner join months on first_months.first_month_start <= months.month_start
    left join published
        on first_months.category_id = published.category_id and months.month_start = published.month_start
),

month_means as (
    select
        category_id,
        cast(extract(month from month_start) as integer) as calendar_month,
        count(requests) as months_observed,
        avg(requests) as mean_requests,
        avg(bookings) as mean_bookings
    from series
    group by category_id, cast(extract(month from month_start) as integer)
),

overall_means as (
    select
        category_id,
        avg(mean_requests) as mean_requests,
        avg(mean_bookings) as mean_bookings
    from month_means
    group by category_id
),

indexed as (
    select
        month_means.category_id,

        month_means.calendar_month,
        month_means.months_observed,
        month_means.mean_requests / nullif(overall_means.mean_requests, 0) as request_index,
        month_means.mean_bookings / nullif(overall_means.mean_bookings, 0) as booking_index
    from month_means
    inner join overall_means on month_means.category_id = overall_means.category_id
)

select * from indexed
