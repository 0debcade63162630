{#-
  An account's flag: score = 1 - product(1 - weight) over the rules that hit it, raised from a limit on.
  A hit that a decision has overturned does not count any more, unless its evidence is newer than the decision.
-#}
with hit as (
    select
        *,
        {{ fraud_flag_id("account_id") }} as flag_id
    from {{ ref("fct_rule_hit") }}
    where observed_at > {{ dbt.dateadd("day", -fraud_settings().flag_days, fraud_as_of()) }}
),

decision as (
    select
        *,
        row_number() over (partition by flag_id order by decided_at desc, decision_id asc) as newest
    from {{ ref("stg_fraud__flag_decision") }}
),

standing as (
    select hit.*
    from hit
    left join decision
        on hit.flag_id = decision.flag_id and decision.newest = 1 and decision.decision = 'overturned'
    where decision.decided_at is null or hit.observed_at > decision.decided_at
),

reason as (
    select
        flag_id,
        account_id,
        rule_code,
        case when rule_code in ('ATO03', 'COL03') then min(value) else max(value) end as value,
        max(threshold) as threshold,
        max(observed_at) as observed_at
    from standing
    group by flag_id, account_id, rule_code
),

flag as (
    select
        reason.flag_id,
        reason.account_id,
        {{ fraud_reasons_json(
            "reason.rule_code", "rule.text_nb", "reason.value", "reason.threshold", "rule.weight desc, reason.rule_code"
        ) | indent(8) }} as reasons,
        round(1 - exp(sum(ln(1 - rule.weight))), 4) as score,
        max(reason.observed_at) as issued_at
    from reason
    inner join {{ ref("dim_rule") }} as rule on reason.rule_code = rule.rule_code
    group by reason.flag_id, reason.account_id
),

final as (
    select
        flag_id,
        account_id,

        reasons,
        case when score >= {{ fraud_settings().block_from_score }} then 'block_and_review' else 'review' end
            as recommended_action,
        '{{ fraud_rules_version() }}' as rule_version,
        'active' as status,

        score,

        issued_at,
        {{ dbt.dateadd("day", fraud_settings().flag_days, "issued_at") }} as expires_at
    from flag
    where score >= {{ fraud_settings().flag_from_score }}
)

select * from final
