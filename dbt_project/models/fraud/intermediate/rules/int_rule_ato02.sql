{{ config(materialized="ephemeral") }}

select {{ fraud_hit("ATO02", "account_id", "value", "logged_in_at", evidence_id="login_id") | indent(4) }}
from {{ ref("int_suspicious_login") }}
where rule_code = 'ATO02' and value >= {{ fraud_threshold("ATO02") }} and {{ fraud_in_window("ATO02", "logged_in_at") }}
