with learnt as (
    select * from {{ ref('int_matching__ranking_weight') }}
),

features as (
    {% for one in ranking_features() -%}
    select
        '{{ one.feature }}' as feature,
        '{{ one.text_nb }}' as text_nb,
        '{{ one.text_en }}' as text_en,
        cast({{ one.weight }} as double) as weight_untaught
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

joined as (
    select
        features.feature,
        features.text_nb,
        features.text_en,

        coalesce(learnt.weight, features.weight_untaught) as weight,
        learnt.mean,
        learnt.scale,
        coalesce(learnt.requests, 0) as requests,

        learnt.weight is not null as is_learnt
    from features
    left join learnt on features.feature = learnt.feature
)

select * from joined
