with features as (
    select * from {{ ref('int_matching__rank_feature') }}
    where request_status = 'open'
),

inputs as (
    select * from {{ ref('int_matching__rank_input') }}
    where request_status = 'open'
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

scored as (
    select
        request_id,
        provider_id,
        cast(sum(contribution) as double) as score
    from contributions
    group by request_id, provider_id
),

counted as (
    select
        features.*,
        scored.score,
        row_number() over (
            partition by features.request_id, features.is_newcomer
            order by scored.score desc, features.provider_id asc
        ) as place_in_group,
        sum(case when features.is_newcomer then 0 else 1 end) over (
            partition by features.request_id order by scored.score desc, features.provider_id asc
            rows between unbounded preceding and current row
        ) as established_ahead
    from features
    inner join scored on features.request_id = scored.request_id and features.provider_id = scored.provider_id
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
        *,
        row_number() over (
            partition by request_id order by place_key asc, score desc, provider_id asc
        ) as ranking_position
    from placed
),

first_places as (
    select * from ranked
    where ranking_position <= {{ var('ranking_places', 10) }}
),

-- of the first places only: a reason costs more than a score
reasoned as (
    select
        contributions.request_id,
        contributions.provider_id,
        {{ ranking_reasons_json('abs(contribution) desc, feature') }} as reasons
    from contributions
    inner join first_places
        on
            contributions.request_id = first_places.request_id
            and contributions.provider_id = first_places.provider_id
    group by contributions.request_id, contributions.provider_id
),

final as (
    select
        first_places.request_id,
        first_places.provider_id,
        first_places.category_id,

        first_places.municipality,
        reasoned.reasons,

        first_places.ranking_position,
        first_places.score,
        first_places.distance_km,
        first_places.price_z,
        first_places.shrunk_rating,
        first_places.response_minutes,
        first_places.acceptance,
        first_places.free_slots,
        first_places.pair_bookings,

        first_places.is_newcomer,
        first_places.is_shown,

        first_places.requested_at
    from first_places
    inner join reasoned
        on first_places.request_id = reasoned.request_id and first_places.provider_id = reasoned.provider_id
)

select * from final
