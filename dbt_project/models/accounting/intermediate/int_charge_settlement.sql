{{ config(materialized="view") }}

{#-
  What became of a charge, by Stripe's objects and by the platform's balance. Everything is summed for each charge before
  it is joined, and only the platform's own entries count: several disputes, refunds or transfers of a charge, and the entries
  of connected accounts, make no row twice.
-#}
with charge as (
    select * from {{ ref("stg_accounting__charge") }}
    where status = 'succeeded' and is_paid and provider_id is not null
),

entry as (
    select * from {{ ref("stg_accounting__balance_transaction") }}
    where provider_id is null
),

transfer as (
    select * from {{ ref("stg_accounting__transfer") }}
    where charge_id is not null
),

fee as (
    select * from {{ ref("stg_accounting__application_fee") }}
    where charge_id is not null
),

object_entry as (
    select
        charge_id,
        balance_transaction_id,
        false as is_dispute
    from charge
    union
    select
        charge_id,
        balance_transaction_id,
        false as is_dispute
    from {{ ref("stg_accounting__refund") }}
    where status not in ('failed', 'canceled')
    union
    select
        charge_id,
        balance_transaction_id,
        false as is_dispute
    from transfer
    union
    select
        transfer.charge_id,
        reversal.balance_transaction_id,
        false as is_dispute
    from {{ ref("stg_accounting__transfer_reversal") }} as reversal
    inner join transfer on reversal.transfer_id = transfer.transfer_id
    union
    select
        charge_id,
        balance_transaction_id,
        false as is_dispute
    from fee
    union
    select
        fee.charge_id,
        fee_refund.balance_transaction_id,
        false as is_dispute
    from {{ ref("stg_accounting__fee_refund") }} as fee_refund
    inner join fee on fee_refund.application_fee_id = fee.application_fee_id
    union
    select
        dispute.charge_id,
        entry.balance_transaction_id,
        true as is_dispute
    from {{ ref("stg_accounting__dispute") }} as dispute
    inner join entry on dispute.dispute_id = entry.source_id
),

balance as (
    select
        object_entry.charge_id,
        sum(entry.net_ore) as net_ore,
        sum(entry.fee_ore) as cost_ore,
        sum(case when object_entry.is_dispute then entry.amount_ore else 0 end) as disputed_ore
    from object_entry
    inner join entry on object_entry.balance_transaction_id = entry.balance_transaction_id
    group by object_entry.charge_id
),

transferred as (
    select
        charge_id,
        sum(amount_ore - coalesce(reversed_ore, 0)) as transferred_ore
    from transfer
    group by charge_id
),

taken as (
    select
        charge_id,
        sum(amount_ore - coalesce(refunded_ore, 0)) as application_fee_ore
    from fee
    group by charge_id
),

settled as (
    select
        charge.charge_id,
        charge.booking_id,
        charge.provider_id,

        charge.currency,

        charge.captured_ore as charged_ore,
        charge.refunded_ore,
        cast(coalesce(transferred.transferred_ore, 0) as bigint) as transferred_ore,
        cast(coalesce(taken.application_fee_ore, 0) as bigint) as application_fee_ore,
        cast(balance.cost_ore as bigint) as cost_ore,
        cast(balance.disputed_ore as bigint) as disputed_ore,
        cast(balance.net_ore as bigint) as platform_part_ore,

        charge.is_disputed,

        charge.created_at as charged_on
    from charge
    inner join entry
        on charge.balance_transaction_id = entry.balance_transaction_id and charge.currency = entry.currency
    inner join balance on charge.charge_id = balance.charge_id
    left join transferred on charge.charge_id = transferred.charge_id
    left join taken on charge.charge_id = taken.charge_id
)

select
    charge_id,
    booking_id,
    provider_id,

    currency,

    charged_ore,
    refunded_ore,
    transferred_ore,
    application_fee_ore,
    cost_ore,
    disputed_ore,
    platform_part_ore,
    charged_ore - refunded_ore - cost_ore + disputed_ore - transferred_ore + application_fee_ore as expected_part_ore,

    is_disputed,

    charged_on
from settled
