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

{# When each account was last here: what it states was still its own then. #}
{% macro fraud_last_logins() -%}
    select
        account_id,
        max(logged_in_at) as logged_in_at
    from {{ ref("stg_fraud__login") }}
    where is_success and logged_in_at <= {{ fraud_as_of() }}
    group by account_id
{%- endmacro %}
