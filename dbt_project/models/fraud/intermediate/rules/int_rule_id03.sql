{{ config(materialized="ephemeral") }}

select {{ fraud_hit("ID03", "account_id", "banned_count", "newest_ban_at", evidence_id="cluster_id") | indent(4) }}
from {{ ref("int_account_cluster") }}
where
    not is_banned
    and banned_count >= {{ fraud_threshold("ID03") }}
    and {{ fraud_in_window("ID03", "newest_ban_at") }}
