{#-
  An outcome is what became known of an earlier payment: fraud at the second of its report, honest when the delay has passed
  without one (and fraud after all if one comes later). A provider's risk is the share of fraud among the outcomes of the
  window; where every report takes exactly the delay, that is the Handbook's TERMINAL_ID_RISK. A plain report is of a payment
  whose amount was nothing unusual for its customer, which speaks rather of the provider than of that customer.
-#}
{%- set settings = fraud_model_settings() %}
{%- set delay = settings.delay_days * 86400 %}
with payment as (
    select
        transaction_id,
        provider_id,
        at_second,
        known_second
    from {{ ref("int_transaction") }}
    where provider_id is not null
),

judged as (
    select
        payment.*,
        coalesce(spending.is_unusual, false) as is_unusual
    from payment
    left join {{ ref("int_customer_spending") }} as spending on payment.transaction_id = spending.transaction_id
),

outcome as (
    select
        transaction_id,
        provider_id,
        is_unusual,
        at_second as paid_second,
        least(coalesce(known_second, at_second + {{ delay }}), at_second + {{ delay }}) as at_second,
        case when known_second <= at_second + {{ delay }} then 1 else 0 end as is_fraud
    from judged
    union all
    select
        transaction_id,
        provider_id,
        is_unusual,
        at_second as paid_second,
        known_second as at_second,
        1 as is_fraud
    from judged
    where known_second > at_second + {{ delay }}
),

recent as (
    select
        *,
        case when is_fraud = 1 and not is_unusual then 1 else 0 end as is_plain,
        avg(is_fraud) over (
            partition by provider_id order by at_second, paid_second, transaction_id
            rows between 2 preceding and current row
        ) as risk_last_3,
        avg(is_fraud) over (
            partition by provider_id order by at_second, paid_second, transaction_id
            rows between 4 preceding and current row
        ) as risk_last_5,
        sum(1 - is_fraud) over (
            partition by provider_id order by at_second, paid_second, transaction_id
            rows between unbounded preceding and current row
        ) as honest_before
    from outcome
),

streak as (
    select
        *,
        avg(is_plain) over (
            partition by provider_id order by at_second, paid_second, transaction_id
            rows between 2 preceding and current row
        ) as plain_risk_last_3,
        sum(is_fraud) over (
            partition by provider_id, honest_before order by at_second, paid_second, transaction_id
            rows between unbounded preceding and current row
        ) as fraud_in_a_row,
        min(case when is_fraud = 1 then paid_second end) over (
            partition by provider_id, honest_before order by at_second, paid_second, transaction_id
            rows between unbounded preceding and current row
        ) as row_began_second
    from recent
),

event as (
    select
        transaction_id,
        provider_id,
        at_second,
        1 as is_payment,
        null as paid_second,
        null as is_fraud,
        null as is_plain,
        null as risk_last_3,
        null as risk_last_5,
        null as plain_risk_last_3,
        null as fraud_in_a_row,
        null as row_began_second
    from payment
    union all
    select
        transaction_id,
        provider_id,
        at_second,
        0 as is_payment,
        paid_second,
        is_fraud,
        is_plain,
        risk_last_3,
        risk_last_5,
        plain_risk_last_3,
        fraud_in_a_row,
        coalesce(row_began_second, -1) as row_began_second
    from streak
),

counted as (
    select
        transaction_id,
        is_payment,
        at_second,
        {% for days in settings.windows %}
            sum(is_payment) over {{ fraud_days("provider_id", days) }} as provider_payments_{{ days }}d,
            avg(is_fraud) over {{ fraud_days("provider_id", days) }} as provider_risk_{{ days }}d,
        {% endfor %}
        {% for days in settings.report_windows %}
            coalesce(sum(is_fraud) over {{ fraud_days("provider_id", days) }}, 0) as provider_reports_{{ days }}d,
            coalesce(sum(is_plain) over {{ fraud_days("provider_id", days) }}, 0) as provider_plain_reports_{{ days }}d,
            avg(is_plain) over {{ fraud_days("provider_id", days) }} as provider_plain_risk_{{ days }}d,
        {% endfor %}
        min(case when is_fraud = 1 then paid_second end) over {{ fraud_days("provider_id", 28) }} as first_second,
        min(case when is_plain = 1 then paid_second end) over {{ fraud_days("provider_id", 28) }} as first_plain_second,
        {% for newest in ("risk_last_3", "risk_last_5", "plain_risk_last_3", "fraud_in_a_row", "row_began_second") %}
            last_value({{ newest }} ignore nulls) over (
                partition by provider_id order by at_second, is_payment, paid_second, transaction_id
                rows between unbounded preceding and current row
            ) as {{ newest }}{{ "," if not loop.last }}
        {% endfor %}
    from event
),

final as (
    select
        transaction_id,
        {% for days in settings.windows %}
            provider_payments_{{ days }}d,
            provider_risk_{{ days }}d,
        {% endfor %}
        {% for days in settings.report_windows %}
            provider_reports_{{ days }}d,
            provider_plain_reports_{{ days }}d,
            provider_plain_risk_{{ days }}d,
        {% endfor %}
        risk_last_3 as provider_risk_last_3,
        risk_last_5 as provider_risk_last_5,
        plain_risk_last_3 as provider_plain_risk_last_3,
        fraud_in_a_row as provider_fraud_in_a_row,
        (at_second - first_second) / 86400.0 as provider_days_since_fraud,
        (at_second - first_plain_second) / 86400.0 as provider_days_since_plain_fraud,
        (at_second - nullif(row_began_second, -1)) / 86400.0 as provider_days_of_fraud_in_a_row
    from counted
    where is_payment = 1
)

select * from final
