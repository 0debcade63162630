{{ config(materialized="ephemeral") }}

{#- What the profile was before is not kept: a change is the profile's newest one, or an edit that the app reported. -#}
with change as (
    select
        account_id,
        updated_at as changed_at
    from {{ ref("stg_fraud__provider_profile") }}
    union all
    select
        event.account_id,
        event.received_at
    from {{ ref("stg_fraud__event") }} as event
    inner join {{ ref("stg_fraud__provider_profile") }} as profile on event.account_id = profile.account_id
    where event.event_name = 'Profile Edited'
),

paired as (
    select
        change.account_id,
        change.changed_at,
        min(({{ epoch_seconds("change.changed_at") }} - {{ epoch_seconds("login.logged_in_at") }}) / 3600.0) as hours
    from change
    inner join {{ ref("int_suspicious_login") }} as login
        on change.account_id = login.account_id and change.changed_at >= login.logged_in_at
    where {{ fraud_in_window("ATO03", "change.changed_at") }}
    group by change.account_id, change.changed_at
)

select
    {{ fraud_hit("ATO03", "account_id", "round(min(hours), 1)", "max(changed_at)") | indent(4) }}
from paired
where hours <= {{ fraud_threshold("ATO03") }}
group by account_id
