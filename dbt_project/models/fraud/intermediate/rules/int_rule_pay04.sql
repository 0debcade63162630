{{ config(materialized="ephemeral") }}

{#- A dispute that the platform has won is evidence taken back; it makes a hit of its own. -#}
with evidence as (
    select
        charge_id,
        created_at,
        false as is_retracted
    from {{ ref("stg_fraud__early_fraud_warning") }}
    union all
    select
        charge_id,
        created_at,
        is_closed_in_favour as is_retracted
    from {{ ref("stg_fraud__dispute") }}
    where is_fraud_claim or (is_fraud_reason and is_closed_in_favour)
)

select
    {{ fraud_hit(
        "PAY04", "charge.customer_id", "count(*)", "max(evidence.created_at)", retracted="evidence.is_retracted"
    ) | indent(4) }}
from evidence
inner join {{ ref("stg_fraud__charge") }} as charge on evidence.charge_id = charge.charge_id
where charge.customer_id is not null and {{ fraud_in_window("PAY04", "evidence.created_at") }}
group by charge.customer_id, evidence.is_retracted
having count(*) >= {{ fraud_threshold("PAY04") }}
