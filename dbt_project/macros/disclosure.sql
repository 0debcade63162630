{#
  The smallest cells that a purpose may publish: the numbers of pseudonymisation/policy/purposes.yml, and this is the
  only place in the project that repeats them. A var of the same name (`market_trends_min_customers`) takes their place.
#}
{% macro disclosure_limit(purpose, limit) -%}
    {%- set policy = {
        'matching': {'min_customers': 3, 'min_providers': 3},
        'market_trends': {'min_customers': 10, 'min_providers': 5},
    } -%}
    {{ return(var(purpose ~ '_' ~ limit, policy[purpose][limit]) | int) }}
{%- endmacro %}

{# The p of the p % rule, and the share of two contributors from which on they dominate a cell: (2, 85 %). #}
{% macro p_percent() -%}
    {{ return(var('market_trends_p_percent', 15) | int) }}
{%- endmacro %}

{% macro dominance_percent() -%}
    {{ return(var('market_trends_dominance_percent', 85) | int) }}
{%- endmacro %}

{#
  The first day of the month (UTC) before which editions are due. Events come up to seven days late; on the tenth day after a
  month (`market_trends_edition_day`) it is known, and its edition is made.
#}
{% macro newest_edition_end() -%}
    {{ month_start(dbt.dateadd('day', 1 - var('market_trends_edition_day', 10) | int, today())) }}
{%- endmacro %}

{# The month (UTC) whose edition was the newest when a week ended. #}
{% macro newest_edition_at(week_start) -%}
    {{ month_start(dbt.dateadd('month', -1, month_start(dbt.dateadd('day', 8 - var('market_trends_edition_day', 10) | int, week_start)))) }}
{%- endmacro %}
