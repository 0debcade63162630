with seen as (
    select max(updated_at) as seen_at from {{ ref("stg_fraud__account") }}
    union all
    select max(logged_in_at) from {{ ref("stg_fraud__login") }}
    union all
    select max(sent_at) from {{ ref("stg_fraud__message") }}
    union all
    select max(greatest(booked_at, completed_at, paid_at)) from {{ ref("stg_fraud__booking") }}
    union all
    select max(created_at) from {{ ref("stg_fraud__charge") }}
    union all
    select max(created_at) from {{ ref("stg_fraud__review") }}
    union all
    select max(closed_at) from {{ ref("stg_fraud__support_case") }}
)

select
    {% if env_var("LEII_NOW", "") %}
        max(cast('{{ env_var("LEII_NOW") }}' as timestamptz)) as as_of
    {% else %}
        coalesce(max(seen_at), cast('1970-01-01 00:00:00+00' as timestamptz)) as as_of
    {% endif %}
from seen
