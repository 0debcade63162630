with decision as (
    select
        account.account_id,
        decision.*
    from {{ ref("stg_fraud__flag_decision") }} as decision
    inner join {{ ref("stg_fraud__account") }} as account
        on decision.flag_id = {{ fraud_flag_id("account.account_id") }}
),

charge as (
    select
        charge_id,
        customer_id
    from {{ ref("stg_fraud__charge") }}
    where customer_id is not null
),

final as (
    select
        decision_id as label_id,
        account_id,
        'decision' as label_source,
        decision = 'upheld' as is_fraud,
        decided_at as known_at
    from decision
    union all
    select
        dispute.dispute_id as label_id,
        charge.customer_id as account_id,
        'dispute' as label_source,
        true as is_fraud,
        dispute.created_at as known_at
    from {{ ref("stg_fraud__dispute") }} as dispute
    inner join charge on dispute.charge_id = charge.charge_id
    where dispute.is_fraud_claim
    union all
    select
        warning.early_fraud_warning_id as label_id,
        charge.customer_id as account_id,
        'early_fraud_warning' as label_source,
        true as is_fraud,
        warning.created_at as known_at
    from {{ ref("stg_fraud__early_fraud_warning") }} as warning
    inner join charge on warning.charge_id = charge.charge_id
)

select * from final
