{{ config(materialized="ephemeral") }}

with job as (
    select
        customer_id,
        provider_id,
        booking_id,
        completed_at,
        {{ minutes_between("booked_at", "completed_at") }} as minutes
    from {{ ref("stg_fraud__booking") }}
    where status = 'completed' and {{ fraud_in_window("COL03", "completed_at") }}
),

implausible as (
    select * from job
    where minutes <= {{ fraud_threshold("COL03") }}
)

select {{ fraud_hit("COL03", "provider_id", "minutes", "completed_at", "customer_id", "booking_id") | indent(4) }}
from implausible
where provider_id is not null
union all
select {{ fraud_hit("COL03", "customer_id", "minutes", "completed_at", "provider_id", "booking_id") | indent(4) }}
from implausible
where customer_id is not null
