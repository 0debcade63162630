{{ config(materialized="ephemeral") }}

with redeemed as (
    select
        account.account_id,
        cluster.cluster_id,
        count(*) over (partition by cluster.cluster_id, account.referral_code_key) as redemption_count,
        max(account.created_at) over (partition by cluster.cluster_id, account.referral_code_key) as newest_redeemed_at
    from {{ ref("stg_fraud__account") }} as account
    inner join {{ ref("int_account_cluster") }} as cluster on account.account_id = cluster.account_id
    where account.referral_code_key is not null
)

select {{ fraud_hit(
    "PRO01", "account_id", "redemption_count", "newest_redeemed_at",
    evidence_id="cluster_id"
) | indent(4) }}
from redeemed
where redemption_count >= {{ fraud_threshold("PRO01") }} and {{ fraud_in_window("PRO01", "newest_redeemed_at") }}
