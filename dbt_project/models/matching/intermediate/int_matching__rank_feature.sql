with pairs as (
    select * from {{ ref('int_matching__rank_pair') }}
),

history as (
    select * from {{ ref('int_matching__provider_history') }}
),

candidates as (
    select * from {{ ref('stg_matching__request_candidate') }}
),

requests as (
    select * from {{ ref('stg_matching__service_request') }}
),

bookings as (
    select * from {{ ref('stg_matching__booking') }}
),

-- each provider's own history, with the pairs as probes in it
provider_steps as (
    select
        provider_id,
        cast(null as {{ uuid_type() }}) as request_id,
        known_at,
        1 as is_event,
        answers,
        accepted,
        response_minutes,
        ended,
        reviews,
        rating_sum,
        bookings,
        free_slots
    from history
    union all
    select
        provider_id,
        request_id,
        requested_at as known_at,
        0 as is_event,
        0 as answers,
        0 as accepted,
        0 as response_minutes,
        0 as ended,
        0 as reviews,
        0 as rating_sum,
        0 as bookings,
        0 as free_slots
    from pairs
),

provider_sums as (
    select
        request_id,
        provider_id,
        is_event,
        {{ sum_before('answers', 'provider_id') }} as answers,
        {{ sum_before('accepted', 'provider_id') }} as accepted,
        {{ sum_before('response_minutes', 'provider_id') }} as response_minutes,
        {{ sum_before('answers + ended', 'provider_id') }} as ended_requests,
        {{ sum_before('reviews', 'provider_id') }} as reviews,
        {{ sum_before('rating_sum', 'provider_id') }} as rating_sum,
        {{ sum_before('bookings', 'provider_id') }} as bookings,
        {{ sum_before('free_slots', 'provider_id') }} as free_slots
    from provider_steps
),

-- what is usual in the whole market, by the days before the request's
market_steps as (
    select
        {{ day_of('known_at') }} as day,
        answers,
        accepted,
        response_minutes,
        answers + ended as ended_requests,
        reviews,
        rating_sum
    from history
    union all
    select distinct
        {{ day_of('requested_at') }} as day,
        0 as answers,
        0 as accepted,
        0 as response_minutes,
        0 as ended_requests,
        0 as reviews,
        0 as rating_sum
    from pairs
),

market_days as (
    select
        day,
        sum(answers) as answers,
        sum(accepted) as accepted,
        sum(response_minutes) as response_minutes,
        sum(ended_requests) as ended_requests,
        sum(reviews) as reviews,
        sum(rating_sum) as rating_sum
    from market_steps
    group by day
),

market_sums as (
    select
        day,
        cast(sum(answers) over (order by day rows between unbounded preceding and 1 preceding) as bigint) as answers,
        cast(sum(accepted) over (order by day rows between unbounded preceding and 1 preceding) as bigint) as accepted,
        cast(sum(response_minutes) over (order by day rows between unbounded preceding and 1 preceding) as bigint)
            as response_minutes,
        cast(sum(ended_requests) over (order by day rows between unbounded preceding and 1 preceding) as bigint)
            as ended_requests,
        cast(sum(reviews) over (order by day rows between unbounded preceding and 1 preceding) as bigint) as reviews,
        cast(sum(rating_sum) over (order by day rows between unbounded preceding and 1 preceding) as bigint)
            as rating_sum
    from market_days
),

market as (
    select
        day,
        cast(accepted as double) / nullif(ended_requests, 0) as acceptance,
        cast(response_minutes as double) / nullif(answers, 0) as response_minutes,
        cast(rating_sum as double) / nullif(reviews, 0) as rating
    from market_sums
),

-- prices asked in the category and municipality
price_steps as (
    select
        requests.category_id,
        coalesce(requests.municipality, 'unknown') as municipality,
        cast(null as {{ uuid_type() }}) as request_id,
        cast(null as {{ uuid_type() }}) as provider_id,
        candidates.shown_at as known_at,
        1 as is_event,
        1 as prices,
        candidates.price_nok
    from candidates
    inner join requests on candidates.request_id = requests.request_id
    where candidates.price_nok is not null
    union all
    select
        category_id,
        municipality,
        request_id,
        provider_id,
        requested_at as known_at,
        0 as is_event,
        0 as prices,
        0 as price_nok
    from pairs
),

price_sums as (
    select
        request_id,
        provider_id,
        is_event,
        {{ sum_before('prices', 'category_id, municipality') }} as prices,
        {{ sum_before('price_nok', 'category_id, municipality') }} as price_sum,
        {{ sum_before('price_nok * price_nok', 'category_id, municipality') }} as price_squares
    from price_steps
),

-- jobs of the same two people
pair_steps as (
    select
        customer_id,
        provider_id,
        cast(null as {{ uuid_type() }}) as request_id,
        booked_at as known_at,
        1 as is_event,
        1 as bookings
    from bookings
    where customer_id is not null and provider_id is not null
    union all
    select
        customer_id,
        provider_id,
        request_id,
        requested_at as known_at,
        0 as is_event,
        0 as bookings
    from pairs
),

pair_sums as (
    select
        request_id,
        provider_id,
        is_event,
        {{ sum_before('bookings', 'customer_id, provider_id') }} as bookings
    from pair_steps
),

joined as (
    select
        pairs.request_id,
        pairs.provider_id,
        pairs.customer_id,
        pairs.category_id,

        pairs.municipality,
        pairs.request_status,

        pairs.distance_km,
        coalesce(
            {{ z_score('pairs.price_nok', 'price_sums.prices', 'price_sums.price_sum', 'price_sums.price_squares') }},
            pairs.list_price_z
        ) as price_z,
        ({{ rating_prior_reviews() }} * market.rating + provider_sums.rating_sum)
        / ({{ rating_prior_reviews() }} + provider_sums.reviews) as shrunk_rating,
        ({{ ranking_prior_answers() }} * market.response_minutes + provider_sums.response_minutes)
        / ({{ ranking_prior_answers() }} + provider_sums.answers) as response_minutes,
        ({{ ranking_prior_answers() }} * market.acceptance + provider_sums.accepted)
        / ({{ ranking_prior_answers() }} + provider_sums.ended_requests) as acceptance,
        provider_sums.free_slots,
        pair_sums.bookings as pair_bookings,
        provider_sums.bookings as provider_bookings,
        provider_sums.ended_requests as provider_requests,

        pairs.is_shown,
        provider_sums.ended_requests < {{ ranking_newcomer_answers() }} as is_newcomer,

        pairs.requested_at
    from pairs
    inner join provider_sums
        on
            pairs.request_id = provider_sums.request_id
            and pairs.provider_id = provider_sums.provider_id
            and provider_sums.is_event = 0
    inner join price_sums
        on
            pairs.request_id = price_sums.request_id
            and pairs.provider_id = price_sums.provider_id
            and price_sums.is_event = 0
    inner join pair_sums
        on
            pairs.request_id = pair_sums.request_id
            and pairs.provider_id = pair_sums.provider_id
            and pair_sums.is_event = 0
    left join market on {{ day_of('pairs.requested_at') }} = market.day
)

select * from joined
