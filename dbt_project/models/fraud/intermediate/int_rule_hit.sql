with hit as (
    {% for rule in fraud_rules() if not rule.only_with_others %}
        select * from {{ ref("int_rule_" ~ rule.code | lower) }}
        {{ "union all" if not loop.last }}
    {% endfor %}
),

-- an account that is gone has no hits, whatever still names it
account as (
    select account_id from {{ ref("stg_fraud__account") }}
),

final as (
    select hit.*
    from hit
    inner join account on hit.account_id = account.account_id
)

select * from final
