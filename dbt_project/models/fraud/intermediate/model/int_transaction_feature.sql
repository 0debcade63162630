{%- set settings = fraud_model_settings() %}
with payment as (
    select * from {{ ref("int_transaction") }}
    where customer_id is not null
),

account as (
    select
        account_id,
        {{ epoch_seconds("created_at") }} as created_second
    from {{ ref("stg_fraud__account") }}
),

attempt as (
    select
        charge_id,
        customer_id,
        is_declined,
        {{ epoch_seconds("created_at") }} as at_second
    from {{ ref("stg_fraud__charge") }}
    where customer_id is not null
),

declines as (
    select
        charge_id,
        sum(case when is_declined then 1 else 0 end) over {{ fraud_days("customer_id", 1) }} as customer_declines_1d
    from attempt
),

final as (
    select
        payment.transaction_id,
        payment.customer_id,
        payment.provider_id,

        payment.amount_nok,
        payment.risk_score,
        case when extract(dow from payment.paid_at) in (0, 6) then 1 else 0 end as is_weekend,
        case when extract(hour from payment.paid_at) <= 6 then 1 else 0 end as is_night,
        (payment.at_second - customer.created_second) / 86400.0 as customer_age_days,
        (payment.at_second - provider.created_second) / 86400.0 as provider_age_days,
        declines.customer_declines_1d,
        {% for days in settings.windows %}
            spending.customer_payments_{{ days }}d,
            spending.customer_mean_nok_{{ days }}d,
        {% endfor %}
        spending.customer_history,
        spending.amount_ratio,
        spending.amount_to_highest,
        spending.spending_ratio_7d,
        spending.spending_ratio_14d,
        spending.highest_ratio_14d,
        spending.unusual_payments_3d,
        spending.unusual_payments_14d,
        {% for days in settings.windows %}
            exposure.provider_payments_{{ days }}d,
            exposure.provider_risk_{{ days }}d,
        {% endfor %}
        {% for days in settings.report_windows %}
            exposure.provider_reports_{{ days }}d,
            exposure.provider_plain_reports_{{ days }}d,
            exposure.provider_plain_risk_{{ days }}d,
        {% endfor %}
        exposure.provider_risk_last_3,
        exposure.provider_risk_last_5,
        exposure.provider_plain_risk_last_3,
        exposure.provider_fraud_in_a_row,
        exposure.provider_days_since_fraud,
        exposure.provider_days_since_plain_fraud,
        exposure.provider_days_of_fraud_in_a_row,

        payment.at_second,
        payment.known_second,

        payment.paid_at
    from payment
    inner join {{ ref("int_customer_spending") }} as spending on payment.transaction_id = spending.transaction_id
    left join {{ ref("int_provider_exposure") }} as exposure on payment.transaction_id = exposure.transaction_id
    left join declines on payment.transaction_id = declines.charge_id
    left join account as customer on payment.customer_id = customer.account_id
    left join account as provider on payment.provider_id = provider.account_id
)

select * from final
