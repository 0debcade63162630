{# What the engines write differently, each behind one name. #}

{#
  Whole minutes from one time to a later one, rounded down. (`datediff` counts boundaries on one engine and time on
  another.)
#}
{% macro minutes_between(earlier, later) -%}
    cast(floor(({{ epoch_seconds(later) }} - {{ epoch_seconds(earlier) }}) / 60) as bigint)
{%- endmacro %}

{% macro epoch_seconds(moment) -%}
    {{ return(adapter.dispatch('epoch_seconds', 'leii')(moment)) }}
{%- endmacro %}

{% macro default__epoch_seconds(moment) -%}
    extract(epoch from {{ moment }})
{%- endmacro %}

{% macro spark__epoch_seconds(moment) -%}
    unix_timestamp({{ moment }})
{%- endmacro %}

{# The Monday (UTC) that an ISO 8601 week begins with. #}
{% macro iso_week_start(moment) -%}
    cast({{ dbt.date_trunc('week', moment) }} as date)
{%- endmacro %}

{# The first day (UTC) of the month. #}
{% macro month_start(moment) -%}
    cast({{ dbt.date_trunc('month', moment) }} as date)
{%- endmacro %}

{#
  The day of the run, UTC: LEII_NOW where the clock is fixed. Read here and not as a var, since a var's change makes dbt
  read the whole project anew.
#}
{% macro today() -%}
    {%- set now = env_var('LEII_NOW', '') -%}
    {%- set moment = "cast('" ~ now ~ "' as " ~ dbt.type_timestamp() ~ ")" if now else dbt.current_timestamp() -%}
    cast({{ moment }} as date)
{%- endmacro %}
