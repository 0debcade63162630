{{ config(materialized="ephemeral") }}

select {{ fraud_hit("ATO01", "account_id", "max(value)", "max(logged_in_at)") | indent(4) }}
from {{ ref("int_suspicious_login") }}
where rule_code = 'ATO01' and {{ fraud_in_window("ATO01", "logged_in_at") }}
group by account_id
