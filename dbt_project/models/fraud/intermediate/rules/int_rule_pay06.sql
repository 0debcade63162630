{{ config(materialized="ephemeral") }}

{#-
  The terminal's window of the Fraud Detection Handbook: payments so young that a fraud would not have been reported yet say
  nothing of the rate. One customer's quarrel is no rate either: the reported payments must be of several.
-#}
with report as (
    {{ fraud_reports() }}
),

reported as (
    select
        charge_id,
        min(known_at) as reported_at
    from report
    where known_at <= {{ fraud_as_of() }}
    group by charge_id
),

payment as (
    select
        charge.provider_id,
        charge.created_at,
        reported.reported_at,
        row_number() over (
            partition by charge.provider_id, charge.customer_id, reported.reported_at is null
            order by charge.created_at, charge.charge_id
        ) as place
    from {{ ref("stg_fraud__charge") }} as charge
    left join reported on charge.charge_id = reported.charge_id
    where
        charge.provider_id is not null
        and not charge.is_declined
        and {{ fraud_in_window("PAY06", "charge.created_at") }}
        and charge.created_at <= {{ dbt.dateadd("day", -fraud_settings().report_delay_days, fraud_as_of()) }}
),

week as (
    select
        provider_id,
        count(reported_at) over seven_days * 1.0 / count(*) over seven_days as reported_share,
        count(case when reported_at is not null and place = 1 then 1 end) over seven_days as victim_count,
        max(reported_at) over seven_days as reported_at
    from payment
    window seven_days as (
        partition by provider_id order by created_at range between interval '7 days' preceding and current row
    )
)

select {{ fraud_hit("PAY06", "provider_id", "round(max(reported_share), 2)", "max(reported_at)") | indent(4) }}
from week
where reported_share >= {{ fraud_threshold("PAY06") }} and victim_count >= {{ fraud_at_least("PAY06") }}
group by provider_id
