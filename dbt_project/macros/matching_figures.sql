{#
  The figures of liquidity of a group of rows of int_matching__liquidity_input, the same by day and by hour of the week.
  Fill rate is filled / requests. requests_per_open_slot is the tightness of the market, as vacancies over unemployed in
  Pissarides, Equilibrium Unemployment Theory (2000), ch. 1.
#}
{% macro matching_liquidity_figures() -%}
    cast(sum(searches) as bigint) as searches,
        cast(sum(filled_searches) as bigint) as filled_searches,
        cast(sum(filled_searches) as double) / nullif(sum(known_searches), 0) as search_to_fill,
        cast(sum(requests) as bigint) as requests,
        count(distinct customer_id) as customers,
        cast(sum(responded_requests) as bigint) as responded_requests,
        cast(sum(filled_requests) as bigint) as filled_requests,
        cast(sum(filled_requests) as double) / nullif(sum(requests), 0) as fill_rate,
        percentile_cont(0.5) within group (order by minutes_to_first_response) as median_minutes_to_first_response,
        percentile_cont(0.9) within group (order by minutes_to_first_response) as p90_minutes_to_first_response,
        percentile_cont(0.5) within group (order by minutes_to_match) as median_minutes_to_match,
        percentile_cont(0.9) within group (order by minutes_to_match) as p90_minutes_to_match,
        cast(sum(open_slots) as bigint) as open_slots,
        count(distinct provider_id) as open_providers,
        cast(sum(requests) as double) / nullif(sum(open_slots), 0) as requests_per_open_slot,
        cast(sum(cancelled_by_customer) as bigint) as cancelled_by_customer,
        cast(sum(cancelled_by_provider) as bigint) as cancelled_by_provider,
        cast(sum(cancelled_by_platform) as bigint) as cancelled_by_platform
{%- endmacro %}

{#
  Where a market stands by its fill rate and its tightness. `short_of_supply`: too little is filled and requests are more
  than the open slots. `mismatch`: too little is filled though slots stay open. `tight`: filled, with no slot to spare.
  `healthy`: filled, with slots to spare. Null without a request.
#}
{% macro matching_health_quadrant() -%}
    case
            when requests = 0 then null
            when fill_rate < {{ var('matching_good_fill_rate', 0.5) }}
                then case when open_slots < requests then 'short_of_supply' else 'mismatch' end
            when open_slots < requests then 'tight'
            else 'healthy'
        end
{%- endmacro %}

{# Great-circle distance in km of two positions in degrees (haversine; mean radius of the earth 6,371 km); null if one is unknown. #}
{% macro distance_km(latitude, longitude, other_latitude, other_longitude) -%}
    case
            when {{ latitude }} + {{ longitude }} + {{ other_latitude }} + {{ other_longitude }} is not null
                then 2 * 6371 * asin(sqrt(least(1, (
                    power(sin(radians(cast({{ other_latitude }} - {{ latitude }} as double)) / 2), 2)
                    + cos(radians(cast({{ latitude }} as double))) * cos(radians(cast({{ other_latitude }} as double)))
                    * power(sin(radians(cast({{ other_longitude }} - {{ longitude }} as double)) / 2), 2)
                ))))
        end
{%- endmacro %}

{# Columns of one branch of a union: what its rows count in, an expression each, and 0 in the others of `names`. #}
{% macro counted_in(names, counted) -%}
    {%- for name in names %}
        {{- counted.get(name, '0') }} as {{ name }}{{ ',\n        ' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
