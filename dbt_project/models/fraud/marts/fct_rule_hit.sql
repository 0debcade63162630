with hit as (
    {% for rule in fraud_rules() %}
        select * from {{ ref("int_rule_" ~ rule.code | lower) }}
        {{ "union all" if not loop.last }}
    {% endfor %}
),

-- an account that is gone has no hits, whatever still names it
account as (
    select account_id from {{ ref("stg_fraud__account") }}
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

        hit.observed_at
    from hit
    inner join account on hit.account_id = account.account_id
    inner join {{ ref("dim_rule") }} as rule on hit.rule_code = rule.rule_code
)

select * from final
