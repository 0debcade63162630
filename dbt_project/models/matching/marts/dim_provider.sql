with accounts as (
    select * from {{ ref('stg_matching__account') }}
),

profiles as (
    select * from {{ ref('stg_matching__provider_profile') }}
),

offers as (
    select * from {{ ref('stg_matching__service_offer') }}
),

bookings as (
    select * from {{ ref('fct_booking') }}
),

funnel as (
    select * from {{ ref('fct_request_funnel') }}
),

reviews as (
    select * from {{ ref('stg_matching__review') }}
),

offer_counts as (
    select
        provider_id,
        count(*) as active_offers,
        count(distinct category_id) as active_categories
    from offers
    where is_active
    group by provider_id
),

booking_counts as (
    select
        provider_id,
        count(*) as bookings,
        sum(case when is_completed then 1 else 0 end) as completed_bookings,
        sum(case when is_cancelled then 1 else 0 end) as cancelled_bookings
    from bookings
    where provider_id is not null
    group by provider_id
),

answer_counts as (
    select
        provider_id,
        cast(sum(case when is_accepted then 1 else 0 end) as bigint) as accepted_requests,
        cast(sum(case when is_accepted or is_declined or is_expired then 1 else 0 end) as bigint) as ended_requests
    from funnel
    group by provider_id
),

provider_reviews as (
    select reviews.*
    from reviews
    inner join accounts on reviews.subject_id = accounts.account_id
    where accounts.is_provider
),

rating_counts as (
    select
        subject_id as provider_id,
        count(*) as reviews,
        sum(rating) as rating_sum
    from provider_reviews
    group by subject_id
),

overall_rating as (
    select avg(rating) as mean_rating from provider_reviews
),

joined as (
    select
        accounts.account_id as provider_id,

        coalesce(accounts.municipality, 'unknown') as municipality,
        accounts.account_status,

        coalesce(offer_counts.active_offers, 0) as active_offers,
        coalesce(offer_counts.active_categories, 0) as active_categories,
        coalesce(booking_counts.bookings, 0) as bookings,
        cast(coalesce(booking_counts.completed_bookings, 0) as bigint) as completed_bookings,
        cast(coalesce(booking_counts.cancelled_bookings, 0) as bigint) as cancelled_bookings,
        coalesce(answer_counts.ended_requests, 0) as ended_requests,
        cast(answer_counts.accepted_requests as double) / nullif(answer_counts.ended_requests, 0) as acceptance,
        coalesce(rating_counts.reviews, 0) as reviews,
        ({{ rating_prior_reviews() }} * overall_rating.mean_rating + coalesce(rating_counts.rating_sum, 0))
        / ({{ rating_prior_reviews() }} + coalesce(rating_counts.reviews, 0)) as shrunk_rating,
        profiles.bio_length,
        profiles.skill_count,
        profiles.radius_km,

        profiles.published_at
    from accounts
    cross join overall_rating
    left join profiles on accounts.account_id = profiles.provider_id
    left join offer_counts on accounts.account_id = offer_counts.provider_id
    left join booking_counts on accounts.account_id = booking_counts.provider_id
    left join answer_counts on accounts.account_id = answer_counts.provider_id
    left join rating_counts on accounts.account_id = rating_counts.provider_id
    where accounts.is_provider
)

select * from joined
