with flag as (
    select
        flag_id,
        account_id,
        status,
        score,
        {{ fraud_reasons_json(
            "rule_code", "text_nb", "value", "threshold", "weight desc, rule_code"
        ) | indent(8) }} as reasons,
        max(observed_at) as issued_at
    from {{ ref("int_flag_reason") }}
    group by flag_id, account_id, status, score
),

queued as (
    select
        *,
        case
            when status in ('active', 'contested')
                then row_number() over (
                    partition by status in ('active', 'contested') order by score desc, issued_at desc, flag_id asc
                )
        end as place_in_queue
    from flag
),

final as (
    select
        flag_id,
        account_id,

        reasons,
        case
            {% for action in fraud_actions() | reverse %}
                when score >= {{ action.from_score }} then '{{ action.action }}'
            {% endfor %}
        end as recommended_action,
        '{{ fraud_rules_version() }}' as rule_version,
        status,

        score,
        place_in_queue,

        coalesce(place_in_queue <= {{ fraud_settings().alert_budget }}, false) as is_within_budget,

        issued_at,
        {{ dbt.dateadd("day", fraud_settings().flag_days, "issued_at") }} as expires_at
    from queued
)

select * from final
