{#
  The figures of a group of contributions: the same for a municipality, for a whole category, and for what is withheld.
#}
{% macro market_trends_figures() -%}
    cast(sum(case when kind = 'request' then 1 else 0 end) as bigint) as requests,
        cast(sum(case when kind = 'booking' then 1 else 0 end) as bigint) as bookings,
        cast(sum(case when is_completed then 1 else 0 end) as bigint) as completed_bookings,
        cast(sum(case when is_cancelled then 1 else 0 end) as bigint) as cancelled_bookings,
        cast(sum(case when kind = 'search' then 1 else 0 end) as bigint) as searches,
        count(distinct customer_id) as customers,
        count(distinct provider_id) as providers,
        count(distinct case when kind = 'booking' then customer_id end) as booking_customers,
        percentile_cont(0.5) within group (order by price_nok) as price_median_nok
{%- endmacro %}

{# Whether a group is too small to be published. #}
{% macro market_trends_is_small(relation) -%}
    {{ relation }}.customers < {{ disclosure_limit('market_trends', 'min_customers') }}
    or {{ relation }}.providers < {{ disclosure_limit('market_trends', 'min_providers') }}
{%- endmacro %}

{# A figure of a total, unless what is withheld of it is so little that the published parts would give it away. #}
{% macro market_trends_safe_total(figure) -%}
    case
            when withheld.month_start is null or withheld.{{ figure }} >= {{ smallest_rest() }} then totals.{{ figure }}
        end
{%- endmacro %}

{% macro uuid_type() -%}
    {{ return(adapter.dispatch('uuid_type', 'leii')()) }}
{%- endmacro %}

{% macro default__uuid_type() -%}
    uuid
{%- endmacro %}

{% macro spark__uuid_type() -%}
    string
{%- endmacro %}
