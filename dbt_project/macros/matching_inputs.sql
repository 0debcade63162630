{# When a row of a matching fact has to go because an input of it went; see `remove_rows_where`. #}

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
