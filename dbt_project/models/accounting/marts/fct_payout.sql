{#- Built whole on every run: a payout's explanation rests on all that came before it on its account. -#}
with payout as (
    select * from {{ ref("stg_accounting__payout") }}
),

explanation as (
    select
        payout_entry.payout_id,
        sum(entry.net_ore) as explained_ore,
        count(*) as entry_count
    from {{ ref("int_payout_entry") }} as payout_entry
    inner join {{ ref("stg_accounting__balance_transaction") }} as entry
        on payout_entry.balance_transaction_id = entry.balance_transaction_id
    group by payout_entry.payout_id
),

final as (
    select
        payout.payout_id,
        payout.provider_id,
        payout.balance_transaction_id,

        payout.status,
        payout.currency,

        payout.amount_ore,
        cast(coalesce(explanation.explained_ore, 0) as bigint) as explained_ore,
        cast(payout.amount_ore - coalesce(explanation.explained_ore, 0) as bigint) as difference_ore,
        {{ nok("payout.amount_ore") }} as amount_nok,
        coalesce(explanation.entry_count, 0) as entry_count,

        payout.provider_id is null as is_platform,
        payout.amount_ore = coalesce(explanation.explained_ore, 0) as is_explained,

        cast(payout.created_at as date) as paid_out_on,
        payout.arrival_date as arrives_on
    from payout
    left join explanation on payout.payout_id = explanation.payout_id
)

select * from final
