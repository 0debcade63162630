{{ config(enabled=target.name == 'market_trends' or env_var('LEII_DBT_ALL', '') == '1') }}
-- Whoever has only the published table learns nothing of a withheld municipality from its total. Each row is a breach.

with published as (
    select * from {{ ref('agg_market_published') }}
),

parts as (
    select
        category_id,
        month_start,
        sum(case when suppression_reason is not null then 1 else 0 end) as withheld_count,
        {% for figure in ['requests', 'bookings', 'completed_bookings', 'cancelled_bookings', 'searches'] -%}
        coalesce(sum({{ figure }}), 0) as {{ figure }}{{ ',' if not loop.last }}
        {% endfor %}
    from published
    where not is_total
    group by category_id, month_start
),

breaches as (
    select
        published.category_id,
        published.month_start,
        'too_small' as breach
    from published
    where
        published.suppression_reason is null
        and (
            published.customers < {{ disclosure_limit('market_trends', 'min_customers') }}
            or published.providers < {{ disclosure_limit('market_trends', 'min_providers') }}
        )
    union all
    select
        published.category_id,
        published.month_start,
        'single_part' as breach
    from published
    inner join parts on published.category_id = parts.category_id and published.month_start = parts.month_start
    where published.is_total and published.suppression_reason is null and parts.withheld_count = 1
    {% for figure in ['requests', 'bookings', 'completed_bookings', 'cancelled_bookings', 'searches'] -%}
    union all
    select
        published.category_id,
        published.month_start,
        'little_rest_of_{{ figure }}' as breach
    from published
    inner join parts on published.category_id = parts.category_id and published.month_start = parts.month_start
    where
        published.is_total
        and parts.withheld_count > 0
        and published.{{ figure }} - parts.{{ figure }} < {{ smallest_rest() }}
    {% endfor %}
)

select * from breaches
