{% for rule in fraud_rules() %}
    select
        '{{ rule.code }}' as rule_code,
        '{{ rule.family | default(rule.code) }}' as rule_family,
        cast({{ rule.version }} as {{ dbt.type_int() }}) as rule_version,
        {{ dbt.string_literal(dbt.escape_single_quotes(rule.text_nb)) }} as text_nb,
        {{ dbt.string_literal(dbt.escape_single_quotes(rule.text_en)) }} as text_en,
        cast({{ rule.threshold }} as double) as threshold,
        cast({{ rule.at_least | default("null") }} as {{ dbt.type_int() }}) as at_least,
        cast({{ rule.window_days }} as {{ dbt.type_int() }}) as window_days,
        cast({{ rule.weight }} as double) as weight,
        {{ rule.is_at_most | default(false) | lower }} as is_at_most,
        {{ rule.only_with_others | default(false) | lower }} as is_only_with_others
    {{ "union all" if not loop.last }}
{% endfor %}
