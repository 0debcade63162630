{#-
  Evidence stands, or the desk has overturned a flag since, or it is older than a flag lives, or it was taken back: tiers 1
  to 4. The first tier that with those before it reaches the score of a flag says how that account's flag stands.

  score = 1 - product(1 - weight) over families, each by the weightiest of its rules: the noisy-OR of independent causes
  (J. Pearl, Probabilistic Reasoning in Intelligent Systems, 1988, 4.3.2). Rules of one family see the same evidence, so
  that their product would count it twice.
-#}
with decision as (
    select
        *,
        row_number() over (partition by flag_id order by decided_at desc, decision_id asc) as newest
    from {{ ref("stg_fraud__flag_decision") }}
),

hit as (
    select
        *,
        {{ fraud_flag_id("account_id") }} as flag_id
    from {{ ref("fct_rule_hit") }}
),

judged as (
    select
        hit.*,
        coalesce(decision.decision = 'upheld' and decision.is_contested, false) as is_contested,
        case
            when hit.is_retracted then 4
            when decision.decision = 'overturned' and hit.arose_at <= decision.decided_at then 2
            when hit.observed_at <= {{ dbt.dateadd("day", -fraud_settings().flag_days, fraud_as_of()) }} then 3
            else 1
        end as evidence_tier
    from hit
    left join decision on hit.flag_id = decision.flag_id and decision.newest = 1
),

tier as (
    {% for number in range(1, 5) %}
        select {{ number }} as tier
        {{ "union all" if not loop.last }}
    {% endfor %}
),

reason as (
    select
        judged.flag_id,
        judged.account_id,
        judged.rule_code,
        tier.tier,
        rule.rule_family,
        rule.text_nb,
        rule.weight,
        rule.is_only_with_others,
        case when rule.is_at_most then min(judged.value) else max(judged.value) end as value,
        max(judged.threshold) as threshold,
        max(judged.observed_at) as observed_at,
        max(judged.is_contested) as is_contested
    from judged
    inner join tier on judged.evidence_tier <= tier.tier
    inner join {{ ref("dim_rule") }} as rule on judged.rule_code = rule.rule_code
    group by
        judged.flag_id, judged.account_id, judged.rule_code, tier.tier, rule.rule_family, rule.text_nb, rule.weight,
        rule.is_only_with_others, rule.is_at_most
),

placed as (
    select
        *,
        row_number() over (
            partition by flag_id, tier, rule_family order by weight desc, rule_code asc
        ) as place_in_family,
        count(case when not is_only_with_others then 1 end) over (partition by flag_id, tier) as other_count
    from reason
),

counted as (
    select
        *,
        case when place_in_family = 1 and (other_count > 0 or not is_only_with_others) then weight else 0 end
            as counted_weight
    from placed
),

scored as (
    select
        *,
        round(1 - exp(sum(ln(1 - counted_weight)) over (partition by flag_id, tier)), 4) as score
    from counted
),

reaching as (
    select
        *,
        min(tier) over (partition by flag_id) as first_tier
    from scored
    where score >= {{ fraud_flag_from_score() }}
),

final as (
    select
        account_id,

        flag_id,
        rule_code,
        text_nb,
        case
            when tier = 1 and is_contested then 'contested'
            when tier = 1 then 'active'
            when tier = 2 then 'overturned'
            when tier = 3 then 'expired'
            else 'withdrawn'
        end as status,

        value,
        threshold,
        weight,
        counted_weight,
        score,

        observed_at
    from reaching
    where tier = first_tier
)

select * from final
