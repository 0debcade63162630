{{ config(materialized="ephemeral") }}

{#- A ban that was lifted is evidence taken back; it makes a hit of its own. -#}
with linked as (
    select
        account_id,
        cluster_id,
        banned_count as ban_count,
        newest_ban_at as banned_at,
        false as is_retracted
    from {{ ref("int_account_cluster") }}
    where not is_banned
    union all
    select
        account_id,
        cluster_id,
        lifted_count as ban_count,
        newest_lifted_ban_at as banned_at,
        true as is_retracted
    from {{ ref("int_account_cluster") }}
    where not is_banned and not is_lifted
)

select {{ fraud_hit(
    "ID03", "account_id", "ban_count", "banned_at", evidence_id="cluster_id", retracted="is_retracted"
) | indent(4) }}
from linked
where ban_count >= {{ fraud_threshold("ID03") }} and {{ fraud_in_window("ID03", "banned_at") }}
