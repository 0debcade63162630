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

{#
  The least that the municipalities withheld together may add up to in a figure of a published total: with less, the
  total minus the published municipalities would tell them apart. 3 is what Statistics Norway takes for its smallest cell.
#}
{% macro smallest_rest() -%}
    {{ return(var('market_trends_smallest_rest', 3) | int) }}
{%- endmacro %}
