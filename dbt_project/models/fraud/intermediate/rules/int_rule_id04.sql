{{ config(materialized="ephemeral") }}

select {{ fraud_hit(
    "ID04", "account_id", "account_count", "newest_seen_at",
    evidence_id="identifier_value", arose_at="newest_first_seen_at"
) | indent(4) }}
from {{ ref("int_identifier_edge") }}
where
    identifier_kind = 'national_id'
    and account_count >= {{ fraud_threshold("ID04") }}
    and {{ fraud_in_window("ID04", "newest_seen_at") }}
