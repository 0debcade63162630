{%- set settings = fraud_model_settings() %}
with payment as (
    select * from {{ ref("int_transaction") }}
    where customer_id is not null
),

spending as (
    select
        transaction_id,
        customer_id,
        amount_nok,
        at_second,
        {% for days in settings.windows %}
            count(*) over {{ fraud_days("customer_id", days) }} as customer_payments_{{ days }}d,
            avg(amount_nok) over {{ fraud_days("customer_id", days) }} as customer_mean_nok_{{ days }}d,
        {% endfor %}
        count(*) over {{ fraud_days("customer_id", settings.usual_days, before=true) }} as customer_history,
        median(amount_nok) over {{ fraud_days("customer_id", settings.usual_days, before=true) }} as usual_nok,
        max(amount_nok) over {{ fraud_days("customer_id", 30, before=true) }} as highest_nok,
        avg(amount_nok) over {{ fraud_days("customer_id", 7, before=true) }} as mean_before_nok_7d,
        avg(amount_nok) over {{ fraud_days("customer_id", 14, before=true) }} as mean_before_nok_14d
    from payment
),

compared as (
    select
        *,
        amount_nok / nullif(usual_nok, 0) as amount_ratio,
        amount_nok / nullif(highest_nok, 0) as amount_to_highest,
        mean_before_nok_7d / nullif(usual_nok, 0) as spending_ratio_7d,
        mean_before_nok_14d / nullif(usual_nok, 0) as spending_ratio_14d
    from spending
),

final as (
    select
        *,
        coalesce(amount_ratio >= {{ settings.unusual_ratio }}, false) as is_unusual,
        max(amount_ratio) over {{ fraud_days("customer_id", 14, before=true) }} as highest_ratio_14d,
        count(case when amount_ratio >= {{ settings.unusual_ratio }} then 1 end)
            over {{ fraud_days("customer_id", 3, before=true) }} as unusual_payments_3d,
        count(case when amount_ratio >= {{ settings.unusual_ratio }} then 1 end)
            over {{ fraud_days("customer_id", 14, before=true) }} as unusual_payments_14d
    from compared
)

select * from final
