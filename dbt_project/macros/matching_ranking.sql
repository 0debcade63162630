{#
  The one table of what providers are ranked by. `x` is how the learning sees the feature (a logarithm where the first
  kilometre or minute matters more than the hundredth), an expression over int_matching__rank_feature; a null says
  nothing and counts as the mean. `weight` is taken as long as there is too little to learn from.
#}
{% macro ranking_features() -%}
    {{ return([
        {"feature": "distance", "column": "distance_km", "x": "ln(1 + distance_km)", "weight": -0.5,
         "text_nb": "Avstand til oppdraget (km)", "text_en": "Distance to the job (km)"},
        {"feature": "price", "column": "price_z", "x": "case when abs(price_z) > 3 then 3 * sign(price_z) else price_z end", "weight": -0.3,
         "text_nb": "Pris mot det vanlige i kategori og kommune (standardavvik)",
         "text_en": "Price against the usual in category and municipality (standard deviations)"},
        {"feature": "rating", "column": "shrunk_rating", "x": "shrunk_rating", "weight": 0.5,
         "text_nb": "Vurderinger, trukket mot gjennomsnittet", "text_en": "Ratings, drawn to the mean"},
        {"feature": "response", "column": "response_minutes", "x": "ln(1 + response_minutes)", "weight": -0.3,
         "text_nb": "Svartid (minutter)", "text_en": "Time to answer (minutes)"},
        {"feature": "acceptance", "column": "acceptance", "x": "acceptance", "weight": 0.3,
         "text_nb": "Andel forespørsler som tas imot", "text_en": "Share of requests accepted"},
        {"feature": "capacity", "column": "free_slots", "x": "ln(1 + free_slots)", "weight": 0.1,
         "text_nb": "Ledig kapasitet (tider)", "text_en": "Capacity to spare (slots)"},
        {"feature": "repeat", "column": "pair_bookings", "x": "ln(1 + pair_bookings)", "weight": 0.5,
         "text_nb": "Oppdrag for samme kunde før", "text_en": "Earlier jobs for the same customer"},
    ]) }}
{%- endmacro %}

{# How long a provider may take before a request without an answer counts as not accepted. #}
{% macro ranking_answer_hours() -%}
    {{ return(var('ranking_answer_hours', 72) | int) }}
{%- endmacro %}

{# How long a slot that nobody took counts as capacity to spare. #}
{% macro ranking_capacity_days() -%}
    {{ return(var('ranking_capacity_days', 28) | int) }}
{%- endmacro %}

{# Of how many answers of the average provider acceptance and response time are mixed with a provider's own. #}
{% macro ranking_prior_answers() -%}
    {{ return(var('ranking_prior_answers', 5) | int) }}
{%- endmacro %}

{# Below how many requests that came to an end a provider is a newcomer, of whom the ranking knows little. #}
{% macro ranking_newcomer_answers() -%}
    {{ return(var('ranking_newcomer_answers', 5) | int) }}
{%- endmacro %}

{# Every so manieth place is kept for a newcomer: 5 keeps a fifth of the places. #}
{% macro ranking_newcomer_step() -%}
    {{ return(var('ranking_newcomer_step', 5) | int) }}
{%- endmacro %}

{# What is summed of a provider's history: the numbers of int_matching__provider_history, described there. #}
{% macro ranking_history_sums() -%}
    {{ return([
        "answers", "accepted", "response_minutes", "ended", "reviews", "rating_sum", "bookings", "free_slots",
    ]) }}
{%- endmacro %}

{# The sum of a column over what was known before the row's moment; in the row's partition, events come after probes. #}
{% macro sum_before(column, partition) -%}
    cast(coalesce(sum({{ column }}) over (
        partition by {{ partition }} order by known_at, is_event
        rows between unbounded preceding and current row
    ), 0) as bigint)
{%- endmacro %}

{# (value - mean) / standard deviation of `count` values given by their sum and sum of squares; null for fewer than five. #}
{% macro z_score(value, count, total, squares) -%}
    case
            when {{ count }} >= 5
                and cast({{ squares }} as double) / {{ count }} > power(cast({{ total }} as double) / {{ count }}, 2) + 0.01
                then
                    ({{ value }} - cast({{ total }} as double) / {{ count }})
                    / sqrt(cast({{ squares }} as double) / {{ count }} - power(cast({{ total }} as double) / {{ count }}, 2))
        end
{%- endmacro %}

{# A JSON list of one object {feature, text_nb, text_en, value, contribution} a row, the weightiest first. #}
{% macro ranking_reasons_json(order_by) -%}
    {{ return(adapter.dispatch('ranking_reasons_json', 'leii')(order_by)) }}
{%- endmacro %}

{% macro default__ranking_reasons_json(order_by) -%}
    cast(to_json(list(
        struct_pack(
            feature := feature, text_nb := text_nb, text_en := text_en, value := value, contribution := contribution
        )
        order by {{ order_by }}
    )) as varchar)
{%- endmacro %}

{% macro spark__ranking_reasons_json(order_by) -%}
    to_json(sort_array(collect_list(
        named_struct('weight', abs(contribution), 'feature', feature, 'text_nb', text_nb, 'text_en', text_en,
                     'value', value, 'contribution', contribution)
    ), false))
{%- endmacro %}
