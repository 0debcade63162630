{{ config(materialized="ephemeral") }}

{#-
  Who wrote such reviews, and who was praised in them: a bad one is no sign against the one that it is about.
  A party of the booking who has been erased counts as the right one.
-#}
with judged as (
    select
        review.*,
        booking.booking_id is not null
        and booking.is_done
        and coalesce(review.author_id in (booking.customer_id, booking.provider_id), true)
        and coalesce(review.subject_id in (booking.customer_id, booking.provider_id), true) as has_job,
        coalesce(author.cluster_id = subject.cluster_id, false) as is_own_circle
    from {{ ref("stg_fraud__review") }} as review
    left join {{ ref("stg_fraud__booking") }} as booking on review.booking_id = booking.booking_id
    left join {{ ref("int_account_cluster") }} as author on review.author_id = author.account_id
    left join {{ ref("int_account_cluster") }} as subject on review.subject_id = subject.account_id
    where {{ fraud_in_window("REV01", "review.created_at") }}
),

suspect as (
    select * from judged
    where is_own_circle or not has_job
),

party as (
    select
        author_id as account_id,
        created_at
    from suspect
    union all
    select
        subject_id,
        created_at
    from suspect
    where rating >= 4
)

select
    {{ fraud_hit("REV01", "account_id", "count(*)", "max(created_at)") | indent(4) }}
from party
where account_id is not null
group by account_id
having count(*) >= {{ fraud_threshold("REV01") }}
