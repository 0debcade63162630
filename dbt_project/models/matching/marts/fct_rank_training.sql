with features as (
    select * from {{ ref('int_matching__rank_feature') }}
),

funnel as (
    select * from {{ ref('fct_request_funnel') }}
),

events as (
    select * from {{ ref('stg_matching__event') }}
),

clicks as (
    select distinct
        features.request_id,
        features.provider_id
    from features
    inner join events
        on
            features.customer_id = events.account_id
            and features.provider_id = events.provider_id
            and events.event_name = 'Provider Viewed'
            and features.requested_at <= events.received_at
            and {{ dbt.dateadd('day', var('ranking_click_days', 7), 'features.requested_at') }} > events.received_at
    where features.is_shown
),

outcomes as (
    select
        funnel.candidate_id,
        features.request_id,
        features.provider_id,
        features.customer_id,
        features.category_id,

        features.municipality,
        case
            when funnel.is_booked then 'booked'
            when funnel.is_declined then 'declined'
            when clicks.request_id is not null then 'clicked'
            else 'shown'
        end as outcome,

        funnel.rank_position,
        features.distance_km,
        features.price_z,
        features.shrunk_rating,
        features.response_minutes,
        features.acceptance,
        features.free_slots,
        features.pair_bookings,
        features.provider_bookings,
        features.provider_requests,

        features.is_newcomer,

        features.requested_at
    from features
    inner join funnel on features.request_id = funnel.request_id and features.provider_id = funnel.provider_id
    left join clicks on features.request_id = clicks.request_id and features.provider_id = clicks.provider_id
    where features.is_shown and features.request_status <> 'open'
),

labelled as (
    select
        candidate_id,
        request_id,
        provider_id,
        customer_id,
        category_id,

        municipality,
        outcome,

        rank_position,
        distance_km,
        price_z,
        shrunk_rating,
        response_minutes,
        acceptance,
        free_slots,
        pair_bookings,
        provider_bookings,
        provider_requests,
        cast(
            case outcome when 'booked' then 1 when 'clicked' then 0.01 when 'shown' then 0 else -0.4 end as double
        ) as label,

        is_newcomer,

        requested_at
    from outcomes
)

select * from labelled
