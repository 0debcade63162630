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
        coalesce(cast(sum(case when is_completed then price_nok end) as bigint), 0) as turnover_nok,
        percentile_cont(0.5) within group (order by price_nok) as price_median_nok
{%- endmacro %}

{#
  How bookings of a group went: days from booking to the job's beginning, and who cancelled. cancellation_rate =
  cancelled bookings / bookings.
#}
{% macro market_trends_course() -%}
    percentile_cont(0.5) within group (order by lead_days) as lead_days_median,
        cast(sum(case when cancelled_by = 'customer' then 1 else 0 end) as bigint) as cancelled_by_customer,
        cast(sum(case when cancelled_by = 'provider' then 1 else 0 end) as bigint) as cancelled_by_provider,
        cast(sum(case when cancelled_by = 'platform' then 1 else 0 end) as bigint) as cancelled_by_platform,
        cast(sum(case when is_cancelled then 1 else 0 end) as double)
        / nullif(sum(case when kind = 'booking' then 1 else 0 end), 0) as cancellation_rate
{%- endmacro %}

{# Figures of which a total is the sum of its parts, or nearly: those that disclosure control has to guard. #}
{% macro market_trends_guarded() -%}
    {{ return([
        'requests', 'bookings', 'completed_bookings', 'cancelled_bookings', 'searches', 'customers', 'providers', 'turnover_nok'
    ]) }}
{%- endmacro %}

{#
  The figures of every group of a relation of contributions, with the turnover of its two greatest providers. `levels`: by
  which columns to group, each level by itself; one that is not in a level is null. What an erased provider had done
  counts for no provider's turnover.
#}
{% macro market_trends_groups(relation, levels) -%}
    {%- for level in levels %}
    select
        {{ 'figures.category_id' if 'category_id' in level else 'cast(null as bigint) as category_id' }},
        {{ 'figures.municipality' if 'municipality' in level else 'cast(null as ' ~ dbt.type_string() ~ ') as municipality' }},
        figures.month_start,
        {% for figure in market_trends_guarded() + ['booking_customers', 'price_median_nok'] -%}
        figures.{{ figure }},
        {% endfor -%}
        coalesce(shares.providers_turnover_nok, 0) as providers_turnover_nok,
        coalesce(shares.greatest_nok, 0) as greatest_nok,
        coalesce(shares.second_nok, 0) as second_nok
    from (
        select
            {{ level | join(', ') }},
            {{ market_trends_figures() }}
        from {{ relation }}
        group by {{ level | join(', ') }}
    ) as figures
    left join (
        select
            {{ level | join(', ') }},
            sum(turnover_nok) as providers_turnover_nok,
            max(case when place = 1 then turnover_nok end) as greatest_nok,
            max(case when place = 2 then turnover_nok end) as second_nok
        from (
            select
                {{ level | join(', ') }},
                sum(price_nok) as turnover_nok,
                row_number() over (partition by {{ level | join(', ') }} order by sum(price_nok) desc) as place
            from {{ relation }}
            where is_completed and provider_id is not null
            group by {{ level | join(', ') }}, provider_id
        ) as placed
        group by {{ level | join(', ') }}
    ) as shares on {% for column in level %}figures.{{ column }} = shares.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#
  Why a group of contributions may not be told, or null: too few people; or its turnover would tell the greatest provider's
  to within p % to the second (p % rule), or is nearly all that of two (dominance rule). Hundepool et al., Statistical
  Disclosure Control, 2012, ch. 4.2.
#}
{% macro market_trends_reason() -%}
    case
            when
                customers < {{ disclosure_limit('market_trends', 'min_customers') }}
                or providers < {{ disclosure_limit('market_trends', 'min_providers') }}
                then 'too_few_people'
            when
                providers_turnover_nok - greatest_nok - second_nok
                < {{ p_percent() }} / 100.0 * greatest_nok
                then 'p_percent'
            when
                greatest_nok + second_nok
                > {{ dominance_percent() }} / 100.0 * providers_turnover_nok
                then 'dominance'
        end
{%- endmacro %}

{# A published figure, to the nearest of `market_trends_round_to`; 1, which is where nothing else is configured: as it is. #}
{% macro market_trends_rounded(figure) -%}
    {%- set step = var('market_trends_round_to', 1) | int -%}
    {%- if step > 1 -%}
        cast(round({{ figure }} / {{ step }}.0) * {{ step }} as bigint)
    {%- else -%}
        {{ figure }}
    {%- endif -%}
{%- endmacro %}

{# The withheld cells' own columns of a published row, the same for one category and for all of them. #}
{% macro market_trends_published_figures() -%}
    {% for figure in market_trends_guarded() -%}
        case when not withheld.is_{{ figure }}_withheld then {{ market_trends_rounded('cells.' ~ figure) }} end as {{ figure }},
        {% endfor -%}
        case
            when
                not withheld.is_bookings_withheld
                and cells.booking_customers >= {{ disclosure_limit('market_trends', 'min_customers') }}
                then cells.price_median_nok
        end as price_median_nok
{%- endmacro %}

{# Why a whole row is withheld: for its own sake, or since every figure of it would tell another. #}
{% macro market_trends_published_reason() -%}
    coalesce(
            cells.suppression_reason,
            case
                when {% for figure in market_trends_guarded() %}withheld.is_{{ figure }}_withheld{{ ' and ' if not loop.last }}{% endfor %}
                    then 'would_reveal_a_part'
            end
        )
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
