{{ config(materialized="ephemeral") }}

select {{ fraud_hit("MOD01", "customer_id", "round(max(score), 3)", "max(paid_at)") | indent(4) }}
from {{ ref("fct_transaction_score") }}
where score >= {{ fraud_threshold("MOD01") }} and {{ fraud_in_window("MOD01", "paid_at") }}
group by customer_id
