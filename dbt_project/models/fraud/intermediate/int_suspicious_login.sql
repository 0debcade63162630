with login as (
    select * from {{ ref("stg_fraud__login") }}
    where account_id is not null and logged_in_at <= {{ fraud_as_of() }}
),

failure as (
    select
        account_id,
        logged_in_at,
        count(*) over (
            partition by account_id order by logged_in_at range between interval '1 hour' preceding and current row
        ) as failure_count
    from login
    where not is_success
),

success as (
    select
        *,
        row_number() over (partition by account_id order by logged_in_at, login_id) as login_number,
        min(logged_in_at) over (partition by account_id, device_id) as device_first_at,
        min(logged_in_at) over (partition by account_id, network_id) as network_first_at,
        min(logged_in_at) over (partition by account_id, country) as country_first_at
    from login
    where is_success
),

newness as (
    select
        account_id,
        login_id,
        logged_in_at,
        device_id is not null and device_first_at = logged_in_at as is_new_device,
        network_id is not null and network_first_at = logged_in_at as is_new_network,
        country is not null and country_first_at = logged_in_at as is_new_country
    from success
    where login_number > 3
),

stranger as (
    select
        newness.account_id,
        newness.login_id,
        newness.logged_in_at,
        newness.is_new_country,
        newness.is_new_network,
        exists(
            select 1 from failure
            where
                failure.account_id = newness.account_id
                and failure.logged_in_at <= newness.logged_in_at
                and failure.logged_in_at > {{ dbt.dateadd("hour", -1, "newness.logged_in_at") }}
        ) as is_after_failure
    from newness
    where newness.is_new_device and (newness.is_new_network or newness.is_new_country)
),

final as (
    select
        account_id,
        cast(null as {{ uuid_type() }}) as login_id,
        'ATO01' as rule_code,
        failure_count as value,
        logged_in_at
    from failure
    where failure_count >= {{ fraud_threshold("ATO01") }}
    union all
    select
        account_id,
        login_id,
        'ATO02' as rule_code,
        1 + case when is_new_network then 1 else 0 end + case when is_new_country then 1 else 0 end as value,
        logged_in_at
    from stranger
    where is_new_country or is_after_failure
)

select * from final
