{{ config(materialized="ephemeral") }}

{#-
  The customer's window of the Fraud Detection Handbook, as a ratio; under three payments there is no habit to hold it
  against.
-#}
with payment as (
    select
        customer_id,
        charge_id,
        amount_nok,
        created_at,
        avg(amount_nok) over thirty_days_before as own_mean_nok,
        count(*) over thirty_days_before as payment_count
    from {{ ref("stg_fraud__charge") }}
    where customer_id is not null and not is_declined
    window thirty_days_before as (
        partition by customer_id order by created_at
        range between interval '30 days' preceding and interval '1 minute' preceding
    )
),

measured as (
    select
        *,
        round(amount_nok / nullif(own_mean_nok, 0), 1) as times_the_mean
    from payment
    where payment_count >= {{ fraud_at_least("PAY05") }} and {{ fraud_in_window("PAY05", "created_at") }}
)

select {{ fraud_hit("PAY05", "customer_id", "times_the_mean", "created_at", evidence_id="charge_id") | indent(4) }}
from measured
where times_the_mean >= {{ fraud_threshold("PAY05") }}
