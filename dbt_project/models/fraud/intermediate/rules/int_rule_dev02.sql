{{ config(materialized="ephemeral") }}

select {{ fraud_hit("DEV02", "account_id", "count(distinct network_id)", "max(logged_in_at)") | indent(4) }}
from {{ ref("stg_fraud__login") }}
where is_success and account_id is not null and {{ fraud_in_window("DEV02", "logged_in_at") }}
group by account_id
having count(distinct network_id) >= {{ fraud_threshold("DEV02") }}
