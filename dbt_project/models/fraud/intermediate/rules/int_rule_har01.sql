{{ config(materialized="ephemeral") }}

{#- Complainants, not complaints: one person's three letters are one. Who is not known counts by the case. -#}
select {{ fraud_hit(
    "HAR01", "about_account_id", "count(distinct coalesce(account_id, case_id))", "max(closed_at)"
) | indent(4) }}
from {{ ref("stg_fraud__support_case") }}
where
    topic in ('harassment', 'spam')
    and about_account_id is not null
    and {{ fraud_in_window("HAR01", "closed_at") }}
group by about_account_id
having count(distinct coalesce(account_id, case_id)) >= {{ fraud_threshold("HAR01") }}
