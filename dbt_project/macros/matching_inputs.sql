{# When a row of a matching fact has to go because an input of it went; see `remove_rows_where`. #}

{# The number of bookings or of answers to the request is another. #}
{% macro matching_request_input_is_gone() -%}
    request_id in (
        select built.request_id
        from {{ this }} as built
        left join (
            select request_id, count(*) as found from {{ ref('stg_matching__request_candidate') }} group by request_id
        ) as candidate on built.request_id = candidate.request_id
        left join (
            select request_id, count(*) as found from {{ ref('stg_matching__booking') }} group by request_id
        ) as booking on built.request_id = booking.request_id
        where
            built.candidate_count <> coalesce(candidate.found, 0) or built.booking_count <> coalesce(booking.found, 0)
    )
{%- endmacro %}

{# The request was there and is not any more, or the number of bookings is another. #}
{% macro matching_funnel_input_is_gone() -%}
    (
        requested_at is not null
        and request_id not in (select request_id from {{ ref('stg_matching__service_request') }})
    )
    or candidate_id in (
        select built.candidate_id
        from {{ this }} as built
        left join {{ ref('stg_matching__booking') }} as booking
            on built.request_id = booking.request_id and built.provider_id = booking.provider_id
        where built.booking_count > 0
        group by built.candidate_id, built.booking_count
        having count(booking.booking_id) <> built.booking_count
    )
{%- endmacro %}

{# The request was there and is not any more. #}
{% macro matching_booking_input_is_gone() -%}
    requested_at is not null
    and request_id not in (select request_id from {{ ref('stg_matching__service_request') }})
{%- endmacro %}

{# The request that the search led to is gone, or was filled and is not any more. #}
{% macro matching_search_input_is_gone() -%}
    request_id is not null
    and (
        request_id not in (select request_id from {{ ref('fct_request') }})
        or (is_filled and request_id not in (select request_id from {{ ref('fct_request') }} where is_filled))
    )
{%- endmacro %}

{#
  A day of an aggregate with a cell that is not as it was built: one of `sums` differs, or the cell is there on one side
  only. `inputs` has a row for each fact that counts in a cell, with the same names. Together with the days that have a
  row of a newer batch, these are all the days that have changed: a row that goes, or loses an input, leaves no batch,
  but it takes its share of a sum with it.
#}
{% macro matching_day_is_not_as_built(inputs, cell, sums) -%}
    day in (
        select coalesce(built.day, found.day)
        from {{ this }} as built
        full outer join (
            select
                day,
                {{ cell | join(', ') }},
                {% for name in sums -%}
                cast(sum({{ name }}) as bigint) as {{ name }}{{ ',' if not loop.last }}
                {% endfor %}
            from {{ inputs }}
            group by day, {{ cell | join(', ') }}
        ) as found
            on
                built.day = found.day
                {% for name in cell -%}
                and built.{{ name }} = found.{{ name }}
                {% endfor %}
        where
            built.day is null or found.day is null
            {% for name in sums -%}
            or built.{{ name }} <> found.{{ name }}
            {% endfor %}
    )
{%- endmacro %}

{% macro matching_liquidity_day_is_not_as_built() -%}
    {{
        matching_day_is_not_as_built(
            ref('int_matching__liquidity_input'),
            ['category_id', 'municipality'],
            ['input_rows', 'searches', 'filled_searches', 'filled_requests', 'open_slots',
             'cancelled_by_customer', 'cancelled_by_provider', 'cancelled_by_platform'],
        )
    }}
{%- endmacro %}

{% macro matching_need_day_is_not_as_built() -%}
    {{
        matching_day_is_not_as_built(
            ref('int_matching__need_input'),
            ['category_id', 'municipality'],
            ['input_rows', 'searches', 'zero_result_searches', 'unfilled_requests'],
        )
    }}
{%- endmacro %}

{% macro matching_capacity_day_is_not_as_built() -%}
    {{
        matching_day_is_not_as_built(
            ref('int_matching__slot_hour'), ['provider_id', 'hour_start'], ['open_minutes', 'booked_minutes']
        )
    }}
{%- endmacro %}
