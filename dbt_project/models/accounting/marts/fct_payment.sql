{{
    config(
        materialized="incremental",
        incremental_strategy="delete+insert",
        unique_key="charge_id",
        on_schema_change="fail",
        pre_hook=[
            "{{ remove_rows_without_source('charge_id', ref('stg_accounting__charge')) }}",
            "{{ remove_rows_where(accounting_payment_input_is_gone()) }}",
        ]
    )
}}

with charge as (
    select * from {{ ref("stg_accounting__charge") }}
),

balance_transaction as (
    select * from {{ ref("stg_accounting__balance_transaction") }}
),

transfer as (
    select * from {{ ref("stg_accounting__transfer") }}
    where charge_id is not null
),

charge_to_build as (
    select * from charge
    {% if is_incremental() %}
        where
            _batch_id > {{ newest_batch_seen() }}
            or charge_id in (select charge_id from transfer where _batch_id > {{ newest_batch_seen() }})
            or balance_transaction_id in (
                select balance_transaction_id from balance_transaction where _batch_id > {{ newest_batch_seen() }}
            )
            or charge_id not in (select charge_id from {{ this }})
    {% endif %}
),

transferred as (
    select
        charge_id,
        sum(amount_ore - coalesce(reversed_ore, 0)) as transferred_ore,
        count(*) as transfer_count,
        max(_batch_id) as _batch_id
    from transfer
    where charge_id in (select charge_id from charge_to_build)
    group by charge_id
),

final as (
    select
        charge.charge_id,
        charge.payment_intent_id,
        charge.booking_id,
        charge.customer_id,
        charge.provider_id,
        charge.balance_transaction_id,

        charge.status,
        charge.payment_method_type,
        charge.currency,

        charge.amount_ore,
        charge.captured_ore,
        charge.refunded_ore,
        balance_transaction.fee_ore,
        charge.application_fee_ore,
        cast(coalesce(transferred.transferred_ore, 0) as bigint) as transferred_ore,
        {{ nok("charge.amount_ore") }} as amount_nok,
        {{ nok("charge.refunded_ore") }} as refunded_nok,
        {{ nok("balance_transaction.fee_ore") }} as fee_nok,
        {{ nok("coalesce(transferred.transferred_ore, 0)") }} as transferred_nok,
        coalesce(transferred.transfer_count, 0) as transfer_count,

        charge.is_paid,
        charge.is_disputed,

        charge.created_at as charged_on,

        greatest(
            charge._batch_id, coalesce(balance_transaction._batch_id, -1), coalesce(transferred._batch_id, -1)
        ) as _batch_id
    from charge_to_build as charge
    left join balance_transaction on charge.balance_transaction_id = balance_transaction.balance_transaction_id
    left join transferred on charge.charge_id = transferred.charge_id
)

select * from final
