{# When a row of an accounting fact has to go because an input of it went; see `remove_rows_where`. #}

{# The charge's balance transaction is gone, or the number of transfers is another. #}
{% macro accounting_payment_input_is_gone() -%}
    (
        fee_ore is not null
        and balance_transaction_id not in (select balance_transaction_id from {{ ref("stg_accounting__balance_transaction") }})
    )
    or charge_id in (
        select built.charge_id
        from {{ this }} as built
        left join {{ ref("stg_accounting__transfer") }} as transfer on built.charge_id = transfer.charge_id
        where built.transfer_count > 0
        group by built.charge_id, built.transfer_count
        having count(transfer.transfer_id) <> built.transfer_count
    )
{%- endmacro %}

{# Either side of the ledger's row is not what it was. #}
{% macro accounting_ledger_input_is_gone() -%}
    ledger_id in (
        select built.ledger_id
        from {{ this }} as built
        inner join {{ ref("int_booking_payment") }} as side on built.ledger_id = side.ledger_id
        where built.charge_count <> side.charge_count or built._batch_id <> side._batch_id
    )
{%- endmacro %}
