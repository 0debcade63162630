{# Øre as kroner, exactly. #}
{% macro nok(ore) -%}
    cast({{ ore }} * cast(0.01 as decimal(3, 2)) as decimal(18, 2))
{%- endmacro %}
