{{ config(materialized="ephemeral") }}

{#-
  A household's allowance: two share a card or a device; up to four of one municipality share a device; two of one
  municipality share a bank account.
-#}
with shared as (
    select
        edge.*,
        count(account.municipality) over (partition by edge.identifier_kind, edge.identifier_value) as placed_count,
        min(account.municipality) over (partition by edge.identifier_kind, edge.identifier_value) as first_municipality,
        max(account.municipality) over (partition by edge.identifier_kind, edge.identifier_value) as last_municipality
    from {{ ref("int_identifier_edge") }} as edge
    left join {{ ref("stg_fraud__account") }} as account on edge.account_id = account.account_id
    where edge.identifier_kind in ('card', 'device', 'bank_account', 'bank_fingerprint')
),

judged as (
    select
        *,
        coalesce(first_municipality = last_municipality, true) as is_one_place
    from shared
)

select
{{ fraud_hit(
    "ID02", "account_id", "account_count", "newest_seen_at",
    evidence_id="identifier_value", arose_at="newest_first_seen_at"
) | indent(4) }}
from judged
where
    case identifier_kind
        when 'card' then account_count > 2
        when 'device' then account_count > 4 or (account_count > 2 and not is_one_place)
        else account_count > 2 or not is_one_place
    end
    and account_count >= {{ fraud_threshold("ID02") }}
    and {{ fraud_in_window("ID02", "newest_seen_at") }}
