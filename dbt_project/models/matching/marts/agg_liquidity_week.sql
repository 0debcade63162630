with requests as (
    select * from {{ ref('int_matching__request_outcome') }}
),

events as (
    select * from {{ ref('stg_matching__event') }}
),

slots as (
    select * from {{ ref('stg_matching__availability_slot') }}
),

offers as (
    select * from {{ ref('stg_matching__service_offer') }}
),

accounts as (
    select * from {{ ref('stg_matching__account') }}
),

categories as (
    select * from {{ ref('stg_matching__service_category') }}
),

demand as (
    select
        category_id,
        municipality,
        week_start,
        count(*) as requests,
        count(distinct customer_id) as customers,
        sum(case when is_responded then 1 else 0 end) as responded_requests,
        sum(case when is_filled then 1 else 0 end) as filled_requests,
        percentile_cont(0.5) within group (order by minutes_to_first_response) as median_minutes_to_first_response
    from requests
    group by category_id, municipality, week_start
),

interest as (
    select
        categories.category_id,
        coalesce(events.municipality, 'unknown') as municipality,
        {{ iso_week_start('events.received_at') }} as week_start,
        count(*) as searches
    from events
    inner join categories on events.category_slug = categories.category_slug
    where events.event_name = 'Search Performed'
    group by
        categories.category_id,
        coalesce(events.municipality, 'unknown'),
        {{ iso_week_start('events.received_at') }}
),

offered_categories as (
    select distinct
        provider_id,
        category_id
    from offers
    where is_active
),

supply as (
    select
        offered_categories.category_id,
        coalesce(accounts.municipality, 'unknown') as municipality,
        {{ iso_week_start('slots.starts_at') }} as week_start,
        count(*) as open_slots,
        count(distinct slots.provider_id) as open_providers
    from slots
    inner join offered_categories on slots.provider_id = offered_categories.provider_id
    left join accounts on slots.provider_id = accounts.account_id
    where slots.slot_state = 'open'
    group by
        offered_categories.category_id,
        coalesce(accounts.municipality, 'unknown'),
        {{ iso_week_start('slots.starts_at') }}
),

cells as (
    select category_id, municipality, week_start from demand
    union
    select category_id, municipality, week_start from interest
    union
    select category_id, municipality, week_start from supply
),

measured as (
    select
        cells.category_id,
        cells.municipality,

        coalesce(interest.searches, 0) as searches,
        coalesce(demand.requests, 0) as requests,
        coalesce(demand.customers, 0) as customers,
        cast(coalesce(demand.responded_requests, 0) as bigint) as responded_requests,
        cast(coalesce(demand.filled_requests, 0) as bigint) as filled_requests,
        cast(demand.filled_requests as double) / demand.requests as fill_rate,
        demand.median_minutes_to_first_response,
        coalesce(supply.open_slots, 0) as open_slots,
        coalesce(supply.open_providers, 0) as open_providers,
        cast(coalesce(demand.requests, 0) as double) / nullif(supply.open_slots, 0) as requests_per_open_slot,

        cells.week_start
    from cells
    left join demand
        on
            cells.category_id = demand.category_id
            and cells.municipality = demand.municipality
            and cells.week_start = demand.week_start
    left join interest
        on
            cells.category_id = interest.category_id
            and cells.municipality = interest.municipality
            and cells.week_start = interest.week_start
    left join supply
        on
            cells.category_id = supply.category_id
            and cells.municipality = supply.municipality
            and cells.week_start = supply.week_start
)

select * from measured
