-- noqa: disable=all
{# The linter does not know WITH RECURSIVE ... USING KEY. #}
with edge as (
    select account_id, identifier_value from {{ ref("int_identifier_edge") }}
    where is_clustering
),

component as (
    {{ fraud_connected_components("edge") | indent(4) }}
),

ban as (
    select * from {{ ref("stg_fraud__account_ban") }}
    where is_in_force
),

lifted as (
    select * from {{ ref("stg_fraud__account_ban") }}
    where not is_in_force
),

final as (
    select
        component.account_id,
        component.cluster_id,

        count(*) over (partition by component.cluster_id) as account_count,
        count(ban.account_id) over (partition by component.cluster_id) as banned_count,
        count(lifted.account_id) over (partition by component.cluster_id) as lifted_count,

        ban.account_id is not null as is_banned,
        lifted.account_id is not null as is_lifted,

        max(ban.banned_at) over (partition by component.cluster_id) as newest_ban_at,
        max(lifted.banned_at) over (partition by component.cluster_id) as newest_lifted_ban_at
    from component
    left join ban on component.account_id = ban.account_id
    left join lifted on component.account_id = lifted.account_id
)

select * from final
