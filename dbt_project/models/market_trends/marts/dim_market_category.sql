with categories as (
    select * from {{ ref('stg_market_trends__service_category') }}
),

final as (
    select
        category_id,

        category_slug,
        name_nb,
        name_en
    from categories
)

select * from final
