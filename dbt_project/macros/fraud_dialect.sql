{# The stable id of an account's flag; pseudonymisation/session.py has the same, to know whose flag the app names. #}
{% macro fraud_flag_id(account_id) -%}
    'flag_' || md5(cast({{ account_id }} as {{ dbt.type_string() }}) || ':flag')
{%- endmacro %}

{# A JSON list, ordered, of one object {code, text, value, threshold} a row. #}
{% macro fraud_reasons_json(code, text, value, threshold, order_by) -%}
    {{ return(adapter.dispatch("fraud_reasons_json", "leii")(code, text, value, threshold, order_by)) }}
{%- endmacro %}
{% macro default__fraud_reasons_json(code, text, value, threshold, order_by) -%}
    cast(to_json(list(
        struct_pack(code := {{ code }}, text := {{ text }}, value := {{ value }}, threshold := {{ threshold }})
        order by {{ order_by }}
    )) as varchar)
{%- endmacro %}
{% macro spark__fraud_reasons_json(code, text, value, threshold, order_by) -%}
    to_json(array_sort(collect_list(
        named_struct('code', {{ code }}, 'text', {{ text }}, 'value', {{ value }}, 'threshold', {{ threshold }})
    )))
{%- endmacro %}

{#
  Connected components of the accounts that share a value: (account_id, cluster_id), cluster_id being the smallest
  account of the component. `edges` has account_id and identifier_value. Each value is a star around its smallest
  account, so that a value costs one edge a member and not one a pair.
#}
{% macro fraud_connected_components(edges) -%}
    {{ return(adapter.dispatch("fraud_connected_components", "leii")(edges)) }}
{%- endmacro %}
{% macro default__fraud_connected_components(edges) -%}
    with recursive link as (
        select account_id, min(account_id) over (partition by identifier_value) as hub_id
        from {{ edges }}
    ),

    step as (
        select account_id as from_id, hub_id as to_id from link
        union
        select hub_id, account_id from link
    ),

    component (account_id, cluster_id) using key (account_id) as (
        select distinct from_id, from_id from step
        union
        (
            select step.to_id, min(component.cluster_id)
            from component
            inner join step on component.account_id = step.from_id
            inner join recurring.component as known on step.to_id = known.account_id
            where component.cluster_id < known.cluster_id
            group by step.to_id
        )
    )

    select account_id, cluster_id from component
{%- endmacro %}
{% macro spark__fraud_connected_components(edges) -%}
    {{ exceptions.raise_compiler_error("connected components need DuckDB's WITH RECURSIVE ... USING KEY") }}
{%- endmacro %}
