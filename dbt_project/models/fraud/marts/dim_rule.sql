{% for rule in fraud_rules() %}
    select
        '{{ rule.code }}' as rule_code,
        cast({{ rule.version }} as {{ dbt.type_int() }}) as rule_version,
        {{ dbt.string_literal(dbt.escape_single_quotes(rule.text_nb)) }} as text_nb,
        {{ dbt.string_literal(dbt.escape_single_quotes(rule.text_en)) }} as text_en,
        cast({{ rule.threshold }} as double) as threshold,
        cast({{ rule.window_days }} as {{ dbt.type_int() }}) as window_days,
        cast({{ rule.weight }} as double) as weight
    {{ "union all" if not loop.last }}
{% endfor %}
