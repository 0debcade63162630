{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='search_id',
        on_schema_change='fail',
        pre_hook=[
            "{{ remove_rows_without_source('search_id', ref('stg_matching__event'), 'event_id') }}",
            "{{ remove_rows_where(matching_search_input_is_gone()) }}",
        ]
    )
}}

with searches as (
    select
        event_id as search_id,
        account_id,
        visitor_id,
        category_slug,
        municipality,
        result_count,
        received_at,
        _batch_id
    from {{ ref('stg_matching__event') }}
    where event_name = 'Search Performed'
),

categories as (
    select * from {{ ref('stg_matching__service_category') }}
),

requests as (
    select * from {{ ref('fct_request') }}
),

{% if is_incremental() %}
newer_requests as (
    select
        requests.request_id,
        requests.customer_id,
        categories.category_slug
    from requests
    left join categories on requests.category_id = categories.category_id
    where requests._batch_id > {{ newest_batch_seen() }}
),

searches_of_newer_requests as (
    select searches.search_id
    from searches
    inner join newer_requests
        on
            searches.account_id = newer_requests.customer_id
            and searches.category_slug = newer_requests.category_slug
    union
    select search_id from {{ this }}
    where request_id in (select request_id from newer_requests)
),

searches_to_build as (
    select * from searches
    where
        _batch_id > {{ newest_batch_seen() }}
        or search_id in (select search_id from searches_of_newer_requests)
        or search_id not in (select search_id from {{ this }})
),
{% else %}
searches_to_build as (
    select * from searches
),
{% endif %}

categorised as (
    select
        searches_to_build.*,
        categories.category_id
    from searches_to_build
    left join categories on searches_to_build.category_slug = categories.category_slug
),

followed as (
    select
        categorised.search_id,
        requests.request_id,
        requests.is_filled,
        requests._batch_id,
        {{ minutes_between('categorised.received_at', 'requests.requested_at') }} as minutes_to_request,
        row_number() over (
            partition by categorised.search_id order by requests.requested_at, requests.request_id
        ) as position
    from categorised
    inner join requests
        on
            categorised.account_id = requests.customer_id
            and categorised.category_id = requests.category_id
            and categorised.received_at <= requests.requested_at
            and {{ dbt.dateadd('day', var('matching_search_days', 7), 'categorised.received_at') }}
            > requests.requested_at
),

joined as (
    select
        categorised.search_id,
        categorised.account_id,
        categorised.visitor_id,
        followed.request_id,
        categorised.category_id,

        coalesce(categorised.municipality, 'unknown') as municipality,

        categorised.result_count,
        followed.minutes_to_request,

        coalesce(categorised.result_count = 0, false) as is_zero_result,
        followed.request_id is not null as is_requested,
        coalesce(followed.is_filled, false) as is_filled,

        categorised.received_at as searched_at,

        greatest(categorised._batch_id, coalesce(followed._batch_id, categorised._batch_id)) as _batch_id
    from categorised
    left join followed on categorised.search_id = followed.search_id and followed.position = 1
)

select * from joined
