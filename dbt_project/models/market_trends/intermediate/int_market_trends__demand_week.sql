with weeks as (
    select * from {{ ref('agg_market_week') }}
    where week_start < {{ iso_week_start(today()) }}
),

final as (
    select
        category_id,
        municipality,
        week_start,
        requests
    from weeks
    union all
    select
        category_id,
        'all' as municipality,
        week_start,
        cast(sum(requests) as bigint) as requests
    from weeks
    group by category_id, week_start
)

select * from final
