with source as (
    select * from {{ source("fraud", "stripe__charge") }}
),

renamed as (
    select
        charge_id,
        payment_intent_id,
        booking_id,
        customer_id,
        provider_id,
        card_fingerprint,

        outcome_risk_level as risk_level,

        outcome_risk_score as risk_score,
        amount / 100.0 as amount_nok,

        status = 'failed' as is_declined,

        created_at
    from source
)

select * from renamed
