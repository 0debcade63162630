{{ config(materialized="ephemeral") }}

{#-
  An account's age by itself says nothing: only what other rules found in its first days makes it one. What is older than the
  account (the ban of another that it is linked to) was so from its first day.
-#}
with evidence as (
    select
        hit.account_id,
        greatest(hit.observed_at, account.created_at) as observed_at,
        greatest(
            floor(({{ epoch_seconds("hit.observed_at") }} - {{ epoch_seconds("account.created_at") }}) / 86400), 0
        ) as age_days
    from {{ ref("int_rule_hit") }} as hit
    inner join {{ ref("stg_fraud__account") }} as account on hit.account_id = account.account_id
    where
        not hit.is_retracted
        and account.created_at is not null
        and {{ fraud_in_window("NEW01", "greatest(hit.observed_at, account.created_at)") }}
)

select {{ fraud_hit("NEW01", "account_id", "min(age_days)", "max(observed_at)") | indent(4) }}
from evidence
where age_days <= {{ fraud_threshold("NEW01") }}
group by account_id
