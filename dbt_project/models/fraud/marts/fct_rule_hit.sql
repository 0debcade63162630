with hit as (
    select * from {{ ref("int_rule_hit") }}
    {% for rule in fraud_rules() if rule.only_with_others %}
        union all
        select * from {{ ref("int_rule_" ~ rule.code | lower) }}
    {% endfor %}
),

final as (
    select
        hit.account_id,
        hit.counterpart_id,
        hit.evidence_id,

        hit.rule_code,
        rule.rule_version,

        hit.value,
        rule.threshold,

        hit.is_retracted,

        hit.arose_at,
        hit.observed_at
    from hit
    inner join {{ ref("dim_rule") }} as rule on hit.rule_code = rule.rule_code
)

select * from final
