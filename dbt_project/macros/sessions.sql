{#
  A session ends where its person was silent for more than this many minutes. A purpose's times are coarsened (matching: to
  five minutes), so the silence is counted from mark to mark: past 30 minutes between two marks it was certainly longer
  than 30, and at exactly 30 between 25 and 35, which does not end a session.
#}
{% macro session_silence_minutes() -%} 30 {%- endmacro %}

{# A pre-hook's condition: an event of the person came, went, changed or turned out to be somebody else's. #}
{% macro matching_session_is_stale() -%}
    person_id in (
        select built.person_id
        from (
            select person_id, sum(event_count) as events, max(_batch_id) as newest_batch
            from {{ this }}
            group by person_id
        ) as built
        left join (
            select person_id, count(*) as events, max(_batch_id) as newest_batch
            from {{ ref('stg_matching__event') }}
            group by person_id
        ) as found on built.person_id = found.person_id
        where found.events is null or found.events <> built.events or found.newest_batch > built.newest_batch
    )
{%- endmacro %}
