{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='day',
        on_schema_change='fail',
        pre_hook=[
            "{{ remove_rows_without_source('day', ref('int_matching__slot_hour')) }}",
            "{{ remove_rows_where(matching_capacity_day_is_not_as_built()) }}",
        ]
    )
}}

with slot_hours as (
    select * from {{ ref('int_matching__slot_hour') }}
),

slot_hours_to_build as (
    {{ rows_of_days_to_build('slot_hours') }}
),

measured as (
    select
        provider_id,

        cast(sum(open_minutes) as bigint) as open_minutes,
        cast(sum(booked_minutes) as bigint) as booked_minutes,
        cast(sum(booked_minutes) as double) / nullif(sum(open_minutes + booked_minutes), 0) as utilisation,

        hour_start,
        day,

        max(_batch_id) as _batch_id
    from slot_hours_to_build
    group by provider_id, hour_start, day
)

select * from measured
