{#
  A pre-hook beside `remove_rows_without_source`, for a fact that is joined from several inputs: removes the rows of
  which the condition says that an input is not what it was (it was deleted, and a deleted row has no batch). They are
  built anew, as every row of the source is that the fact does not hold.
#}
{% macro remove_rows_where(condition) -%}
    {%- if is_incremental() -%}
        delete from {{ this }} where {{ condition }}
    {%- else -%}
        select 1
    {%- endif -%}
{%- endmacro %}
