{{
    config(
        materialized="incremental",
        incremental_strategy="delete+insert",
        unique_key="ledger_id",
        on_schema_change="fail",
        pre_hook=[
            "{{ remove_rows_without_source('ledger_id', ref('int_booking_payment')) }}",
            "{{ remove_rows_where(accounting_ledger_input_is_gone()) }}",
        ]
    )
}}

with side as (
    select * from {{ ref("int_booking_payment") }}
    {% if is_incremental() %}
        where
            _batch_id > {{ newest_batch_seen() }}
            or ledger_id not in (select ledger_id from {{ this }})
    {% endif %}
),

final as (
    select
        ledger_id,
        booking_id,
        payment_intent_id,
        customer_id,
        provider_id,

        case
            when charge_count = 0 then 'missing_in_stripe'
            when paid_on is null then 'missing_in_app'
            when price_ore != charged_ore or platform_fee_ore != coalesce(application_fee_ore, 0) then 'amount_differs'
            else 'matched'
        end as status,
        payment_method,

        price_ore,
        charged_ore,
        refunded_ore,
        platform_fee_ore,
        application_fee_ore,
        coalesce(charged_ore, 0) - coalesce(price_ore, 0) as difference_ore,
        {{ nok("price_ore") }} as price_nok,
        {{ nok("charged_ore") }} as charged_nok,
        charge_count,

        paid_on,
        charged_on,

        _batch_id
    from side
)

select * from final
