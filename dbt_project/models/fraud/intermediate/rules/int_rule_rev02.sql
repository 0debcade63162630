{{ config(materialized="ephemeral") }}

{#- A busy provider's five reviews in three days are no burst: they must be at least half of all in the window. -#}
with review as (
    select
        subject_id,
        created_at,
        count(*) over (partition by subject_id) as review_count,
        count(*) over (
            partition by subject_id order by created_at range between interval '72 hours' preceding and current row
        ) as burst_count
    from {{ ref("stg_fraud__review") }}
    where rating >= 4 and subject_id is not null and {{ fraud_in_window("REV02", "created_at") }}
)

select {{ fraud_hit("REV02", "subject_id", "max(burst_count)", "max(created_at)") | indent(4) }}
from review
where burst_count >= {{ fraud_threshold("REV02") }} and burst_count * 2 >= review_count
group by subject_id
