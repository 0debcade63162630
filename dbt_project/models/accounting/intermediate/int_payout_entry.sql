{{ config(materialized="view") }}

{#-
  Which payout paid out which balance transaction. Stripe's automatic payouts take the whole available balance, so an
  entry belongs to its account's first payout after it was available. Money that matured overnight (made before it was
  available) is in a payout of the same moment; what was available as soon as it was made is not.
-#}
with entry as (
    select * from {{ ref("stg_accounting__balance_transaction") }}
    where entry_type != 'payout'
),

payout as (
    select * from {{ ref("stg_accounting__payout") }}
),

timeline as (
    select
        provider_id,
        currency,
        balance_transaction_id,
        cast(null as {{ uuid_type() }}) as payout_id,
        available_at as moment,
        case when created_at < available_at then 0 else 2 end as place,
        0 as is_payout
    from entry
    union all
    select
        provider_id,
        currency,
        balance_transaction_id,
        payout_id,
        created_at as moment,
        1 as place,
        1 as is_payout
    from payout
),

numbered as (
    select
        *,
        coalesce(
            sum(is_payout) over (
                partition by provider_id, currency order by moment, place, payout_id
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as payouts_before
    from timeline
),

payout_number as (
    select
        payout_id,
        provider_id,
        currency,
        payouts_before
    from numbered
    where is_payout = 1
)

select
    numbered.balance_transaction_id,
    payout_number.payout_id
from numbered
inner join payout_number
    on
        numbered.provider_id is not distinct from payout_number.provider_id
        and numbered.currency = payout_number.currency
        and numbered.payouts_before = payout_number.payouts_before
where numbered.is_payout = 0
