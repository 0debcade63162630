{# What several models of the fraud purpose ask of its sources, each a SELECT. #}

{# Payments (charge_id) reported as fraud, and when: by an issuer's warning, or by a dispute that claims it. #}
{% macro fraud_reports() -%}
    select
        charge_id,
        created_at as known_at
    from {{ ref("stg_fraud__early_fraud_warning") }}
    union all
    select
        charge_id,
        created_at as known_at
    from {{ ref("stg_fraud__dispute") }}
    where is_fraud_claim
{%- endmacro %}

{# When each account was last in use, by a login or a booking on either side: what it states was still its own then. #}
{% macro fraud_last_uses() -%}
    select
        account_id,
        max(used_at) as used_at
    from (
        select
            account_id,
            logged_in_at as used_at
        from {{ ref("stg_fraud__login") }}
        where is_success
        union all
        select
            customer_id as account_id,
            booked_at as used_at
        from {{ ref("stg_fraud__booking") }}
        union all
        select
            provider_id as account_id,
            booked_at as used_at
        from {{ ref("stg_fraud__booking") }}
    ) as used
    where account_id is not null and used_at <= {{ fraud_as_of() }}
    group by account_id
{%- endmacro %}
