with entry as (
    select
        *,
        provider_id is null as is_platform,
        cast(created_at as date) as day
    from {{ ref("stg_accounting__balance_transaction") }}
),

summed as (
    select
        day,
        is_platform,
        currency,
        sum(case when entry_type in ('charge', 'payment') then amount_ore else 0 end) as charge_ore,
        sum(case when entry_type in ('refund', 'payment_refund') then amount_ore else 0 end) as refund_ore,
        sum(case when entry_type like 'transfer%' then amount_ore else 0 end) as transfer_ore,
        sum(case when entry_type in ('application_fee', 'application_fee_refund') then amount_ore else 0 end)
            as application_fee_ore,
        sum(case when entry_type = 'adjustment' then amount_ore else 0 end) as adjustment_ore,
        sum(case when entry_type like 'payout%' then amount_ore else 0 end) as payout_ore,
        sum(amount_ore) as amount_ore,
        sum(fee_ore) as fee_ore,
        sum(net_ore) as net_ore,
        count(*) as entry_count
    from entry
    group by day, is_platform, currency
),

final as (
    select
        day,
        currency,

        cast(charge_ore as bigint) as charge_ore,
        cast(refund_ore as bigint) as refund_ore,
        cast(fee_ore as bigint) as fee_ore,
        cast(transfer_ore as bigint) as transfer_ore,
        cast(application_fee_ore as bigint) as application_fee_ore,
        cast(adjustment_ore as bigint) as adjustment_ore,
        cast(payout_ore as bigint) as payout_ore,
        cast(
            amount_ore - charge_ore - refund_ore - transfer_ore - application_fee_ore - adjustment_ore - payout_ore
            as bigint
        ) as other_ore,
        cast(net_ore as bigint) as net_ore,
        entry_count,

        is_platform
    from summed
)

select * from final
