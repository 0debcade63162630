{{ config(materialized="ephemeral") }}

{#-
  What a register or a check digit denies counts two points; a name that differs, or an identity that was not proven, raises a
  doubt of one. What is unknown or was not asked is no mismatch, nor is a check of identity that has just begun. A mistyped
  phone number or postal code is everybody's; a national id is left to the check of identity, since whether a synthetic one
  passes is a setting.
-#}
with identity_check as (
    select
        *,
        row_number() over (partition by account_id order by created_at desc, identity_check_id asc) as newest
    from {{ ref("stg_fraud__identity_check") }}
),

last_use as (
    {{ fraud_last_uses() }}
),

stated as (
    select
        profile.account_id,
        case
            when profile.org_number_validity = 'invalid' or profile.organisation_registration = 'invalid' then 2
            else 0
        end
        + case when profile.bank_account_validity = 'invalid' then 2 else 0 end
        + case
            when
                profile.organisation_is_deregistered
                or profile.organisation_is_bankrupt
                or profile.organisation_is_winding_up then 2
            else 0
        end
        + case when not profile.name_is_as_registered then 1 else 0 end
        + case when identity_check.identity_check_id is not null then 1 else 0 end as mismatch_points,
        greatest(profile.updated_at, identity_check.created_at) as arose_at,
        greatest(profile.updated_at, identity_check.created_at, last_use.used_at) as observed_at
    from {{ ref("stg_fraud__provider_profile") }} as profile
    left join identity_check
        on
            profile.account_id = identity_check.account_id
            and identity_check.newest = 1
            and identity_check.status in ('requires_input', 'canceled')
            and identity_check.created_at
            <= {{ dbt.dateadd("day", -fraud_settings().identity_check_days, fraud_as_of()) }}
    left join last_use on profile.account_id = last_use.account_id
)

select {{ fraud_hit("REG01", "account_id", "mismatch_points", "observed_at", arose_at="arose_at") | indent(4) }}
from stated
where mismatch_points >= {{ fraud_threshold("REG01") }} and {{ fraud_in_window("REG01", "observed_at") }}
