{#- A value that more accounts share than the cap says nothing about who they are: no edge. -#}
with account as (
    select * from {{ ref("stg_fraud__account") }}
),

profile as (
    select * from {{ ref("stg_fraud__provider_profile") }}
),

charge as (
    select * from {{ ref("stg_fraud__charge") }}
),

login as (
    select * from {{ ref("stg_fraud__login") }}
),

event as (
    select * from {{ ref("stg_fraud__event") }}
),

last_use as (
    {{ fraud_last_uses() }}
),

sighting as (
    select
        account_id,
        'phone' as identifier_kind,
        phone_key as identifier_value,
        updated_at as seen_at
    from account
    union all
    select
        account_id,
        'email' as identifier_kind,
        email_key as identifier_value,
        updated_at as seen_at
    from account
    union all
    select
        account_id,
        'national_id' as identifier_kind,
        national_id_key as identifier_value,
        updated_at as seen_at
    from account
    union all
    select
        account_id,
        'referral_code' as identifier_kind,
        referral_code_key as identifier_value,
        created_at as seen_at
    from account
    union all
    select
        account_id,
        'bank_account' as identifier_kind,
        bank_account_key as identifier_value,
        updated_at as seen_at
    from profile
    union all
    select
        account_id,
        'org_number' as identifier_kind,
        org_number_key as identifier_value,
        updated_at as seen_at
    from profile
    union all
    select
        bank_account.account_id,
        'bank_fingerprint' as identifier_kind,
        bank_account.bank_fingerprint as identifier_value,
        profile.updated_at as seen_at
    from {{ ref("stg_fraud__bank_account") }} as bank_account
    left join profile on bank_account.account_id = profile.account_id
    union all
    select
        account_id,
        'card' as identifier_kind,
        card_fingerprint as identifier_value,
        created_at as seen_at
    from {{ ref("stg_fraud__payment_method") }}
    union all
    select
        customer_id as account_id,
        'card' as identifier_kind,
        card_fingerprint as identifier_value,
        created_at as seen_at
    from charge
    union all
    select
        account_id,
        'device' as identifier_kind,
        device_id as identifier_value,
        logged_in_at as seen_at
    from login
    where is_success
    union all
    select
        account_id,
        'device' as identifier_kind,
        device_id as identifier_value,
        received_at as seen_at
    from event
    union all
    select
        account_id,
        'network' as identifier_kind,
        network_id as identifier_value,
        logged_in_at as seen_at
    from login
    where is_success
),

edge as (
    select
        sighting.account_id,
        sighting.identifier_kind,
        sighting.identifier_value,
        min(sighting.seen_at) as first_seen_at,
        greatest(
            max(sighting.seen_at),
            max(
                case
                    when sighting.identifier_kind not in ('card', 'device', 'network') then last_use.used_at
                end
            )
        ) as last_seen_at
    from sighting
    left join last_use on sighting.account_id = last_use.account_id
    where sighting.account_id is not null and sighting.identifier_value is not null
    group by sighting.account_id, sighting.identifier_kind, sighting.identifier_value
),

counted as (
    select
        *,
        count(*) over (partition by identifier_kind, identifier_value) as account_count,
        max(first_seen_at) over (partition by identifier_kind, identifier_value) as newest_first_seen_at,
        max(last_seen_at) over (partition by identifier_kind, identifier_value) as newest_seen_at
    from edge
),

final as (
    select
        account_id,
        identifier_value,

        identifier_kind,

        account_count,

        identifier_kind in (
            {% for kind in fraud_settings().clustering_kinds %}
                '{{ kind }}'{{ "," if not loop.last }}
            {% endfor %}
        ) as is_clustering,

        first_seen_at,
        last_seen_at,
        newest_first_seen_at,
        newest_seen_at
    from counted
    where account_count between 2 and {{ fraud_settings().degree_cap }}
)

select * from final
