{#-
  A payment that went through, with the second from which it could be known that it was fraud: an issuer's warning, a
  dispute as fraud, or a flag about the customer that a person upheld within 90 days after it.
-#}
with charge as (
    select * from {{ ref("stg_fraud__charge") }}
),

booking as (
    select * from {{ ref("stg_fraud__booking") }}
),

upheld as (
    select
        account.account_id,
        decision.decided_at
    from {{ ref("stg_fraud__flag_decision") }} as decision
    inner join {{ ref("stg_fraud__account") }} as account
        on decision.flag_id = {{ fraud_flag_id("account.account_id") }}
    where decision.decision = 'upheld'
),

finding as (
    {{ fraud_reports() }}
    union all
    select
        charge.charge_id,
        upheld.decided_at as known_at
    from upheld
    inner join charge on upheld.account_id = charge.customer_id
    where
        upheld.decided_at >= charge.created_at
        and upheld.decided_at < {{ dbt.dateadd("day", fraud_settings().flag_days, "charge.created_at") }}
),

known as (
    select
        charge_id,
        min(known_at) as known_at
    from finding
    where known_at <= {{ fraud_as_of() }}
    group by charge_id
),

final as (
    select
        charge.charge_id as transaction_id,
        charge.customer_id,
        charge.provider_id,

        cast(booking.price_nok as double) as amount_nok,
        cast(charge.risk_score as double) as risk_score,
        cast(floor({{ epoch_seconds("charge.created_at") }}) as {{ dbt.type_bigint() }}) as at_second,
        cast(floor({{ epoch_seconds(
            "case when known.known_at < charge.created_at then charge.created_at else known.known_at end"
        ) }}) as {{ dbt.type_bigint() }}) as known_second,

        charge.created_at as paid_at
    from charge
    inner join booking on charge.booking_id = booking.booking_id
    left join known on charge.charge_id = known.charge_id
    where not charge.is_declined and booking.price_nok is not null and charge.created_at <= {{ fraud_as_of() }}
)

select * from final
