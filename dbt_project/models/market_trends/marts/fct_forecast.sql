with forecasts as (
    select * from {{ ref('int_market_trends__forecast') }}
),

published as (
    select * from {{ ref('agg_market_published') }}
    where requests is not null
),

final as (
    select
        forecasts.category_id,

        forecasts.municipality,
        forecasts.model,

        forecasts.horizon_weeks,
        cast(round(forecasts.forecast) as bigint) as requests,
        cast(floor(forecasts.lower_80) as bigint) as lower_80,
        cast(ceil(forecasts.upper_80) as bigint) as upper_80,
        cast(floor(forecasts.lower_95) as bigint) as lower_95,
        cast(ceil(forecasts.upper_95) as bigint) as upper_95,

        forecasts.origin_week_start,
        forecasts.week_start
    from forecasts
    inner join published
        on
            forecasts.category_id = published.category_id
            and forecasts.municipality = published.municipality
            and published.month_start = {{ newest_edition_at('forecasts.origin_week_start') }}
)

select * from final
