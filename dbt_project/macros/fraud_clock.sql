{#
  The run's time as an expression. Only `int_fraud_clock` knows LEII_NOW: were it written into every rule, a new time
  would make dbt read every rule anew.
#}
{% macro fraud_as_of() -%}
    (select as_of from {{ ref("int_fraud_clock") }})
{%- endmacro %}
