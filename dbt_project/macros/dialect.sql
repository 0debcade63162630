{# What the engines write differently, each behind one name. #}

{#
  Whole minutes from one time to a later one, rounded down. (`datediff` counts boundaries on one engine and time on
  another.)
#}
{% macro minutes_between(earlier, later) -%}
    cast(floor(({{ epoch_seconds(later) }} - {{ epoch_seconds(earlier) }}) / 60) as bigint)
{%- endmacro %}

{# Whole days from one day to a later one. #}
{% macro days_between(earlier, later) -%}
    cast(floor(({{ epoch_seconds(later) }} - {{ epoch_seconds(earlier) }}) / 86400) as bigint)
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

{# Months from one first day of a month to a later one. #}
{% macro months_between(earlier, later) -%}
    cast(
            12 * (extract(year from {{ later }}) - extract(year from {{ earlier }}))
            + extract(month from {{ later }}) - extract(month from {{ earlier }}) as bigint
        )
{%- endmacro %}

{# The day (UTC) of a moment. #}
{% macro day_of(moment) -%}
    cast({{ dbt.date_trunc('day', moment) }} as date)
{%- endmacro %}

{# The hour of the week (UTC), 0 on Monday at midnight to 167. #}
{% macro hour_of_week(moment) -%}
    cast(floor(({{ epoch_seconds(moment) }} - {{ epoch_seconds(dbt.date_trunc('week', moment)) }}) / 3600) as bigint)
{%- endmacro %}

{# The numbers from 0 to below `count`, a row each, as a column of a SELECT. #}
{% macro each_number_below(count) -%}
    {{ return(adapter.dispatch('each_number_below', 'leii')(count)) }}
{%- endmacro %}

{% macro default__each_number_below(count) -%}
    unnest(range({{ count }}))
{%- endmacro %}

{% macro spark__each_number_below(count) -%}
    explode(sequence(cast(0 as bigint), {{ count }} - 1))
{%- endmacro %}

{# A date as the moment (UTC) that it begins at. #}
{% macro begins_at(day) -%}
    cast({{ day }} as {{ moment_type() }})
{%- endmacro %}

{% macro moment_type() -%}
    {{ return(adapter.dispatch('moment_type', 'leii')()) }}
{%- endmacro %}

{% macro default__moment_type() -%}
    timestamp with time zone
{%- endmacro %}

{% macro spark__moment_type() -%}
    timestamp
{%- endmacro %}
