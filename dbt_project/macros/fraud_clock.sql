{# The run's time as an expression: the var `now`, or the newest time in the sources. Never the machine's clock. #}
{% macro fraud_as_of() -%}
    {%- if var("now", "") -%}
        cast('{{ var("now") }}' as timestamptz)
    {%- else -%}
        (select as_of from {{ ref("int_fraud_clock") }})
    {%- endif -%}
{%- endmacro %}
