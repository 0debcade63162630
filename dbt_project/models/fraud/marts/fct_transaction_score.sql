{#- Log odds = intercept + the points of each feature, and the score is their sigmoid. No model in use: no row. -#}
with scorecard as (
    select * from {{ ref("int_fraud_scorecard") }}
),

payment as (
    select * from {{ ref("int_transaction_feature") }}
    where
        paid_at > {{ dbt.dateadd("day", -fraud_settings().flag_days, fraud_as_of()) }}
        and exists (select 1 from scorecard)
),

value_of as (
    {% for feature in fraud_model_features() %}
        select
            transaction_id,
            '{{ feature }}' as feature,
            cast({{ feature }} as double) as value
        from payment
        {{ "union all" if not loop.last }}
    {% endfor %}
),

contribution as (
    select
        value_of.transaction_id,
        value_of.feature,
        value_of.value,
        scorecard.model_id,
        scorecard.intercept,
        scorecard.points
    from value_of
    inner join scorecard
        on
            value_of.feature = scorecard.feature
            and (
                (value_of.value >= scorecard.value_from and value_of.value < scorecard.value_below)
                or (value_of.value is null and scorecard.value_from is null)
            )
),

scored as (
    select
        transaction_id,
        max(model_id) as model_id,
        max(intercept) + sum(points) as log_odds,
        {{ fraud_contributions_json("feature", "value", "points") | indent(8) }} as reasons
    from contribution
    group by transaction_id
),

final as (
    select
        scored.transaction_id,
        payment.customer_id,
        payment.provider_id,

        scored.reasons,

        scored.model_id,
        scored.log_odds,
        1 / (1 + exp(-scored.log_odds)) as score,

        payment.paid_at
    from scored
    inner join payment on scored.transaction_id = payment.transaction_id
)

select * from final
