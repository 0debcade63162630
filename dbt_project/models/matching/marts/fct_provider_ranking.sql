with features as (
    select * from {{ ref('int_matching__rank_feature') }}
    where request_status = 'open'
),

inputs as (
    select * from {{ ref('int_matching__rank_input') }}
),

weights as (
    select * from {{ ref('dim_ranking_weight') }}
),

-- decimals, so that the sum is the same in whatever order it is taken
contributions as (
    select
        inputs.request_id,
        inputs.provider_id,
        inputs.feature,
        inputs.text_nb,
        inputs.text_en,
        inputs.value,
        cast(
            coalesce(weights.weight * (inputs.x - weights.mean) / weights.scale, 0) as decimal(18, 4)
        ) as contribution
    from inputs
    inner join features on inputs.request_id = features.request_id and inputs.provider_id = features.provider_id
    inner join weights on inputs.feature = weights.feature
),

reasoned as (
    select
        request_id,
        provider_id,
        cast(sum(contribution) as double) as score,
        {{ ranking_reasons_json('abs(contribution) desc, feature') }} as reasons
    from contributions
    group by request_id, provider_id
),

counted as (
    select
        features.*,
        reasoned.score,
        reasoned.reasons,
        row_number() over (
            partition by features.request_id, features.is_newcomer
            order by reasoned.score desc, features.provider_id asc
        ) as place_in_group,
        sum(case when features.is_newcomer then 0 else 1 end) over (
            partition by features.request_id order by reasoned.score desc, features.provider_id asc
            rows between unbounded preceding and current row
        ) as established_ahead
    from features
    inner join reasoned on features.request_id = reasoned.request_id and features.provider_id = reasoned.provider_id
),

-- the n-th newcomer stands behind at most n * (step - 1) established providers
placed as (
    select
        *,
        case
            when is_newcomer
                then least(established_ahead, place_in_group * ({{ ranking_newcomer_step() }} - 1)) + 0.5
            else place_in_group
        end as place_key
    from counted
),

ranked as (
    select
        request_id,
        provider_id,
        category_id,

        municipality,
        reasons,

        row_number() over (
            partition by request_id order by place_key asc, score desc, provider_id asc
        ) as ranking_position,
        score,
        distance_km,
        price_z,
        shrunk_rating,
        response_minutes,
        acceptance,
        free_slots,
        pair_bookings,

        is_newcomer,
        is_shown,

        requested_at
    from placed
),

first_places as (
    select * from ranked
    where ranking_position <= {{ var('ranking_places', 10) }}
)

select * from first_places
