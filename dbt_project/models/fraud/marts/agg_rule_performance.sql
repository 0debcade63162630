with hit as (
    select
        rule_code,
        account_id,
        count(*) as hit_count
    from {{ ref("fct_rule_hit") }}
    where not is_retracted
    group by rule_code, account_id
),

decision as (
    select
        account_id,
        is_fraud,
        row_number() over (partition by account_id order by known_at desc, label_id asc) as newest
    from {{ ref("fct_label") }}
    where label_source = 'decision'
),

outcome as (
    select distinct account_id from {{ ref("fct_label") }}
    where label_source != 'decision' and is_fraud
),

flag as (
    select * from {{ ref("fct_flag") }}
    where status in ('active', 'contested')
),

counted as (
    select
        hit.rule_code,
        sum(hit.hit_count) as hit_count,
        count(*) as account_count,
        count(flag.account_id) as flagged_account_count,
        count(case when decision.is_fraud then 1 end) as upheld_count,
        count(case when not decision.is_fraud then 1 end) as overturned_count,
        count(outcome.account_id) as reported_count
    from hit
    left join flag on hit.account_id = flag.account_id
    left join decision on hit.account_id = decision.account_id and decision.newest = 1
    left join outcome on hit.account_id = outcome.account_id
    group by hit.rule_code
),

-- a flag's place in the budget belongs to its rules by how much each added to the score: -ln(1 - weight) adds up
share as (
    select
        reason.rule_code,
        ln(1 - reason.counted_weight) / sum(ln(1 - reason.counted_weight)) over (partition by reason.flag_id)
            as flag_share
    from {{ ref("int_flag_reason") }} as reason
    inner join flag on reason.flag_id = flag.flag_id
    where flag.is_within_budget
),

spent as (
    select
        rule_code,
        sum(flag_share) as flag_count
    from share
    group by rule_code
),

final as (
    select
        rule.rule_code,
        rule.rule_version,
        cast(coalesce(counted.hit_count, 0) as {{ dbt.type_bigint() }}) as hit_count,
        coalesce(counted.account_count, 0) as account_count,
        coalesce(counted.flagged_account_count, 0) as flagged_account_count,
        coalesce(counted.upheld_count, 0) as upheld_count,
        coalesce(counted.overturned_count, 0) as overturned_count,
        coalesce(counted.reported_count, 0) as reported_count,
        cast(counted.upheld_count as double) / nullif(counted.upheld_count + counted.overturned_count, 0)
            as precision_share,
        cast(counted.overturned_count as double) / nullif(counted.upheld_count + counted.overturned_count, 0)
            as overturned_share,
        round(coalesce(spent.flag_count, 0) / {{ fraud_settings().alert_budget }}, 6) as budget_share
    from {{ ref("dim_rule") }} as rule
    left join counted on rule.rule_code = counted.rule_code
    left join spent on rule.rule_code = spent.rule_code
)

select * from final
