{#- Built whole on every run from what disagrees, which is little. -#}
with payout as (
    select * from {{ ref("fct_payout") }}
    where not is_explained
),

ledger as (
    select * from {{ ref("fct_booking_ledger") }}
    where status != 'matched'
),

settlement as (
    select * from {{ ref("int_charge_settlement") }}
    where
        platform_part_ore != expected_part_ore
        or (not is_disputed and transferred_ore != charged_ore - refunded_ore)
),

newest as (
    select cast(max(created_at) as date) as day
    from {{ ref("stg_accounting__balance_transaction") }}
),

found as (
    select
        'payout_not_explained' as reason,
        payout_id as object_id,
        payout_id,
        cast(null as {{ uuid_type() }}) as charge_id,
        cast(null as {{ uuid_type() }}) as booking_id,
        provider_id,
        explained_ore as expected_ore,
        amount_ore as found_ore,
        paid_out_on as happened_on
    from payout
    union all
    select
        case status
            when 'missing_in_stripe' then 'payment_missing_in_stripe'
            when 'missing_in_app' then 'payment_missing_in_app'
            else 'amount_differs'
        end as reason,
        ledger_id as object_id,
        null as payout_id,
        null as charge_id,
        booking_id,
        provider_id,
        coalesce(price_ore, 0) as expected_ore,
        coalesce(charged_ore, 0) as found_ore,
        coalesce(charged_on, paid_on) as happened_on
    from ledger
    where coalesce(price_ore, 0) != coalesce(charged_ore, 0)
    union all
    select
        'fee_differs' as reason,
        ledger_id as object_id,
        null as payout_id,
        null as charge_id,
        booking_id,
        provider_id,
        platform_fee_ore as expected_ore,
        coalesce(application_fee_ore, 0) as found_ore,
        charged_on as happened_on
    from ledger
    where status = 'amount_differs' and platform_fee_ore != coalesce(application_fee_ore, 0)
    union all
    select
        'not_passed_on' as reason,
        charge_id as object_id,
        null as payout_id,
        charge_id,
        booking_id,
        provider_id,
        charged_ore - refunded_ore as expected_ore,
        transferred_ore as found_ore,
        charged_on as happened_on
    from settlement
    where not is_disputed and transferred_ore != charged_ore - refunded_ore
    union all
    select
        'balance_differs' as reason,
        charge_id as object_id,
        null as payout_id,
        charge_id,
        booking_id,
        provider_id,
        expected_part_ore as expected_ore,
        platform_part_ore as found_ore,
        charged_on as happened_on
    from settlement
    where platform_part_ore != expected_part_ore
),

final as (
    select
        found.reason,
        found.object_id,
        found.payout_id,
        found.charge_id,
        found.booking_id,
        found.provider_id,

        cast(found.expected_ore as bigint) as expected_ore,
        cast(found.found_ore as bigint) as found_ore,
        cast(found.found_ore - found.expected_ore as bigint) as difference_ore,
        {{ nok("(found.found_ore - found.expected_ore)") }} as difference_nok,

        coalesce(found.happened_on >= newest.day, false) as is_settling,

        found.happened_on
    from found
    cross join newest
)

select * from final
