with categories as (
    select * from {{ ref('stg_matching__service_category') }}
),

offers as (
    select * from {{ ref('stg_matching__service_offer') }}
),

active_offers as (
    select
        category_id,
        count(*) as active_offers,
        count(distinct provider_id) as active_providers
    from offers
    where is_active
    group by category_id
),

joined as (
    select
        categories.category_id,

        categories.category_slug,
        categories.name_nb,
        categories.name_en,

        coalesce(active_offers.active_offers, 0) as active_offers,
        coalesce(active_offers.active_providers, 0) as active_providers
    from categories
    left join active_offers on categories.category_id = active_offers.category_id
)

select * from joined
