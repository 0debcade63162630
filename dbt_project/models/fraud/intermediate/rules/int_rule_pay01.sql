{{ config(materialized="ephemeral") }}

{#- Stripe's own limit for the level `highest` stands in for a level without a score. -#}
with charge as (
    select
        customer_id,
        created_at,
        greatest(
            coalesce(risk_score, 0), case when risk_level = 'highest' then {{ fraud_threshold("PAY01") }} else 0 end
        ) as risk_score
    from {{ ref("stg_fraud__charge") }}
    where customer_id is not null and {{ fraud_in_window("PAY01", "created_at") }}
)

select {{ fraud_hit("PAY01", "customer_id", "max(risk_score)", "max(created_at)") | indent(4) }}
from charge
where risk_score >= {{ fraud_threshold("PAY01") }}
group by customer_id
