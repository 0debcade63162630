with requests as (
    select * from {{ ref('stg_matching__service_request') }}
),

candidates as (
    select * from {{ ref('stg_matching__request_candidate') }}
),

offers as (
    select * from {{ ref('stg_matching__service_offer') }}
),

accounts as (
    select * from {{ ref('stg_matching__account') }}
),

profiles as (
    select * from {{ ref('stg_matching__provider_profile') }}
),

shown as (
    select
        requests.request_id,
        candidates.provider_id,
        candidates.price_nok,
        true as is_shown
    from candidates
    inner join requests on candidates.request_id = requests.request_id
),

list_prices as (
    select
        provider_id,
        category_id,
        min(price_nok) as price_nok
    from offers
    where is_active
    group by provider_id, category_id
),

-- a list price is measured against list prices as they are now, since only open requests are ranked by it
price_levels as (
    select
        list_prices.category_id,
        coalesce(accounts.municipality, 'unknown') as municipality,
        count(*) as price_count,
        sum(list_prices.price_nok) as price_sum,
        sum(list_prices.price_nok * list_prices.price_nok) as price_squares
    from list_prices
    inner join accounts on list_prices.provider_id = accounts.account_id
    group by list_prices.category_id, coalesce(accounts.municipality, 'unknown')
),

reachable as (
    select
        requests.request_id,
        list_prices.provider_id,
        {{
            z_score(
                'list_prices.price_nok',
                'price_levels.price_count', 'price_levels.price_sum', 'price_levels.price_squares',
            )
        }} as list_price_z,
        {{ distance_km('requests.latitude', 'requests.longitude', 'accounts.latitude', 'accounts.longitude') }}
            as distance_km,
        requests.municipality = accounts.municipality as is_same_municipality,
        coalesce(profiles.radius_km, {{ var('ranking_radius_km', 25) }}) as radius_km
    from requests
    inner join list_prices on requests.category_id = list_prices.category_id
    inner join accounts on list_prices.provider_id = accounts.account_id
    inner join profiles on list_prices.provider_id = profiles.provider_id
    left join price_levels
        on
            list_prices.category_id = price_levels.category_id
            and coalesce(accounts.municipality, 'unknown') = price_levels.municipality
    where
        requests.request_status = 'open'
        and accounts.is_provider
        and accounts.account_status = 'active'
        and profiles.published_at is not null
        and list_prices.provider_id <> requests.customer_id
),

-- within the provider's radius, and as much as the grid of positions may be off
eligible as (
    select
        request_id,
        provider_id,
        list_price_z,
        row_number() over (
            partition by request_id order by distance_km asc nulls last, md5(concat(request_id, provider_id)) asc
        ) as nearness
    from reachable
    where is_same_municipality or distance_km <= radius_km + {{ var('ranking_grid_km', 10) }}
),

-- The nearest are chosen from, so that the work grows with the requests and not with requests times providers. On the
-- grid many are equally near: of them each request draws its own, so that nobody is always left out.
nearest as (
    select * from eligible
    where nearness <= {{ var('ranking_candidates', 200) }}
),

pairs as (
    select
        coalesce(shown.request_id, nearest.request_id) as request_id,
        coalesce(shown.provider_id, nearest.provider_id) as provider_id,
        shown.price_nok,
        nearest.list_price_z,
        coalesce(shown.is_shown, false) as is_shown
    from shown
    full outer join nearest
        on shown.request_id = nearest.request_id and shown.provider_id = nearest.provider_id
),

joined as (
    select
        pairs.request_id,
        pairs.provider_id,
        requests.customer_id,
        requests.category_id,

        coalesce(requests.municipality, 'unknown') as municipality,
        requests.request_status,

        pairs.price_nok,
        pairs.list_price_z,
        round(
            {{ distance_km('requests.latitude', 'requests.longitude', 'accounts.latitude', 'accounts.longitude') }}, 1
        ) as distance_km,

        pairs.is_shown,

        requests.requested_at
    from pairs
    inner join requests on pairs.request_id = requests.request_id
    left join accounts on pairs.provider_id = accounts.account_id
)

select * from joined
