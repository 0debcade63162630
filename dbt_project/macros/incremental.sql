{#
  Incremental facts follow two rules, so that a fact is always what a full build of its sources would give:
  - a row is built anew when any of its inputs was changed by a batch later than the newest that the fact has seen
    (`_batch_id` of a fact row is the greatest of its inputs');
  - a row whose key is no longer among the keys of its source is removed before the run (deleted, erased, past its time).
#}

{# The newest batch that this fact has seen; -1 for an empty one. Use only under is_incremental(). #}
{% macro newest_batch_seen() -%}
    (select coalesce(max(_batch_id), -1) from {{ this }})
{%- endmacro %}

{# A pre-hook that removes the rows whose key is gone from the relation. #}
{% macro remove_rows_without_source(key, relation, source_key=none) -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where not exists (
            select 1 from {{ relation }} as source_row
            where source_row.{{ source_key or key }} = {{ this }}.{{ key }}
        )
    {%- else -%}
        select 1
    {%- endif -%}
{%- endmacro %}

{#
  The rows that an aggregate by day is built from: those of the days that have a row of a newer batch, and of the days that
  the aggregate lacks, be they new or removed by a pre-hook. `inputs` is a relation or the name of a CTE.
#}
{% macro rows_of_days_to_build(inputs) -%}
    select * from {{ inputs }}
    {%- if is_incremental() %}
    where
        day in (select day from {{ inputs }} where _batch_id > {{ newest_batch_seen() }})
        or day not in (select day from {{ this }})
    {%- endif %}
{%- endmacro %}
