{%- set sums = ranking_history_sums() %}
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
        {{ sums | join(',\n        ') }}
    from history
    union all
    select
        provider_id,
        request_id,
        requested_at as known_at,
        0 as is_event,
        {{ counted_in(sums, {}) }}
    from pairs
),

provider_sums as (
    select
        request_id,
        provider_id,
        is_event,
        {% for name in sums -%}
        {{ sum_before(name, 'provider_id') }} as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from provider_steps
),

provider_probes as (
    select
        *,
        answers + ended as ended_requests
    from provider_sums
    where is_event = 0
),

-- what is usual in the whole market, by the days before the request's
market_steps as (
    select
        {{ day_of('known_at') }} as day,
        {{ sums | join(',\n        ') }}
    from history
    union all
    select distinct
        {{ day_of('requested_at') }} as day,
        {{ counted_in(sums, {}) }}
    from pairs
),

market_sums as (
    select
        day,
        {% for name in sums -%}
        cast(sum(sum({{ name }})) over (order by day rows between unbounded preceding and 1 preceding) as bigint)
            as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from market_steps
    group by day
),

market as (
    select
        day,
        cast(accepted as double) / nullif(answers + ended, 0) as acceptance,
        cast(response_minutes as double) / nullif(answers, 0) as response_minutes,
        cast(rating_sum as double) / nullif(reviews, 0) as rating
    from market_sums
),

-- prices asked in the category and municipality, with the requests as probes: they are the same for all who are shown
asked as (
    select distinct
        request_id,
        category_id,
        municipality,
        requested_at
    from pairs
),

price_steps as (
    select
        requests.category_id,
        coalesce(requests.municipality, 'unknown') as municipality,
        cast(null as {{ uuid_type() }}) as request_id,
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
        requested_at as known_at,
        0 as is_event,
        0 as prices,
        0 as price_nok
    from asked
),

price_sums as (
    select
        request_id,
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
        ({{ rating_prior_reviews() }} * market.rating + provider_probes.rating_sum)
        / ({{ rating_prior_reviews() }} + provider_probes.reviews) as shrunk_rating,
        ({{ ranking_prior_answers() }} * market.response_minutes + provider_probes.response_minutes)
        / ({{ ranking_prior_answers() }} + provider_probes.answers) as response_minutes,
        ({{ ranking_prior_answers() }} * market.acceptance + provider_probes.accepted)
        / ({{ ranking_prior_answers() }} + provider_probes.ended_requests) as acceptance,
        provider_probes.free_slots,
        pair_sums.bookings as pair_bookings,
        provider_probes.bookings as provider_bookings,
        provider_probes.ended_requests as provider_requests,

        pairs.is_shown,
        provider_probes.ended_requests < {{ ranking_newcomer_answers() }} as is_newcomer,

        pairs.requested_at
    from pairs
    inner join provider_probes
        on pairs.request_id = provider_probes.request_id and pairs.provider_id = provider_probes.provider_id
    inner join price_sums on pairs.request_id = price_sums.request_id and price_sums.is_event = 0
    inner join pair_sums
        on
            pairs.request_id = pair_sums.request_id
            and pairs.provider_id = pair_sums.provider_id
            and pair_sums.is_event = 0
    left join market on {{ day_of('pairs.requested_at') }} = market.day
)

select * from joined
