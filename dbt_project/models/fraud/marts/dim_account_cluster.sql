select
    account_id,
    cluster_id,

    account_count,
    banned_count,

    is_banned
from {{ ref("int_account_cluster") }}
