{{ config(materialized="ephemeral") }}

with evidence as (
    select
        charge_id,
        created_at
    from {{ ref("stg_fraud__early_fraud_warning") }}
    union all
    select
        charge_id,
        created_at
    from {{ ref("stg_fraud__dispute") }}
    where is_fraud_claim
)

select
    {{ fraud_hit("PAY04", "charge.customer_id", "count(*)", "max(evidence.created_at)") | indent(4) }}
from evidence
inner join {{ ref("stg_fraud__charge") }} as charge on evidence.charge_id = charge.charge_id
where charge.customer_id is not null and {{ fraud_in_window("PAY04", "evidence.created_at") }}
group by charge.customer_id
having count(*) >= {{ fraud_threshold("PAY04") }}
