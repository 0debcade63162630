{{ config(materialized="view") }}

{#- Both sides of a booking's payment: what the app says was paid, and what Stripe charged for it. -#}
with booking as (
    select * from {{ ref("stg_accounting__booking") }}
    where paid_at is not null
),

charge as (
    select
        coalesce(charge.booking_id, charge.payment_intent_id, charge.charge_id) as ledger_id,
        charge.*
    from {{ ref("stg_accounting__charge") }} as charge
    where charge.status = 'succeeded' and charge.is_paid
),

charged as (
    select
        ledger_id,
        max(booking_id) as booking_id,
        max(payment_intent_id) as payment_intent_id,
        max(customer_id) as customer_id,
        max(provider_id) as provider_id,
        sum(captured_ore) as charged_ore,
        sum(refunded_ore) as refunded_ore,
        sum(application_fee_ore) as application_fee_ore,
        count(*) as charge_count,
        min(created_at) as charged_on,
        max(_batch_id) as _batch_id
    from charge
    group by ledger_id
)

select
    coalesce(booking.booking_id, charged.ledger_id) as ledger_id,
    coalesce(booking.booking_id, charged.booking_id) as booking_id,
    coalesce(booking.payment_intent_id, charged.payment_intent_id) as payment_intent_id,
    coalesce(booking.customer_id, charged.customer_id) as customer_id,
    coalesce(booking.provider_id, charged.provider_id) as provider_id,

    booking.payment_method,

    booking.price_ore,
    booking.platform_fee_ore,
    cast(charged.charged_ore as bigint) as charged_ore,
    cast(charged.refunded_ore as bigint) as refunded_ore,
    cast(charged.application_fee_ore as bigint) as application_fee_ore,
    coalesce(charged.charge_count, 0) as charge_count,

    booking.paid_at as paid_on,
    charged.charged_on,

    greatest(coalesce(booking._batch_id, -1), coalesce(charged._batch_id, -1)) as _batch_id
from booking
full outer join charged on booking.booking_id = charged.ledger_id
