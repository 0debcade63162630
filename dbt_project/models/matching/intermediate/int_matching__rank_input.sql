{{ config(materialized='view', meta={'erasure': 'computed'}) }}

with features as (
    select * from {{ ref('int_matching__rank_feature') }}
),

long as (
    {% for one in ranking_features() -%}
    select
        request_id,
        provider_id,
        request_status,
        '{{ one.feature }}' as feature,
        '{{ one.text_nb }}' as text_nb,
        '{{ one.text_en }}' as text_en,
        round(cast({{ one.column }} as double), 3) as value,
        cast({{ one.x }} as double) as x
    from features
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from long
