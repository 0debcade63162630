{# Each purpose is a database. When all are read together (LEII_DBT_ALL, for lineage and documents) each keeps its own name. #}
{% macro generate_database_name(custom_database_name, node) -%}
    {%- if env_var('LEII_DBT_ALL', '') == '1' and node is not none and node.fqn | length > 2 -%}
        {{ node.fqn[1] }}
    {%- else -%}
        {{ custom_database_name | trim if custom_database_name else target.database }}
    {%- endif -%}
{%- endmacro %}
