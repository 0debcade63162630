with bookings as (
    select * from {{ ref('fct_booking') }}
),

charges as (
    select * from {{ ref('stg_matching__charge') }}
    where captured_ore > 0
),

paid as (
    select
        charges.charge_id,
        charges.booking_id,
        bookings.customer_id,
        charges.captured_ore,
        coalesce(charges.refunded_ore, 0) as refunded_ore,
        coalesce(charges.fee_ore, 0) as fee_ore,
        {{ month_start('charges.charged_on') }} as month_start
    from charges
    left join bookings on charges.booking_id = bookings.booking_id
),

cohorts as (
    select
        customer_id,
        min(month_start) as cohort_month
    from paid
    where customer_id is not null
    group by customer_id
),

cohort_sizes as (
    select
        cohort_month,
        count(*) as cohort_customers
    from cohorts
    group by cohort_month
),

summed as (
    select
        cohorts.cohort_month,
        paid.month_start,
        count(distinct paid.customer_id) as customers,
        count(distinct paid.booking_id) as bookings,
        {{ nok('sum(paid.captured_ore)') }} as captured_nok,
        {{ nok('sum(paid.refunded_ore)') }} as refunded_nok,
        {{ nok('sum(paid.captured_ore - paid.refunded_ore)') }} as gmv_nok,
        {{ nok('sum(paid.fee_ore)') }} as fee_nok
    from paid
    left join cohorts on paid.customer_id = cohorts.customer_id
    group by cohorts.cohort_month, paid.month_start
),

measured as (
    select
        {{ months_between('summed.cohort_month', 'summed.month_start') }} as months_since_first,
        coalesce(cohort_sizes.cohort_customers, 0) as cohort_customers,
        summed.customers,
        cast(summed.customers as double) / cohort_sizes.cohort_customers as retention,
        summed.bookings,
        summed.captured_nok,
        summed.refunded_nok,
        summed.gmv_nok,
        summed.fee_nok,
        cast(summed.fee_nok as double) / nullif(cast(summed.gmv_nok as double), 0) as take_rate,

        summed.cohort_month,
        summed.month_start
    from summed
    left join cohort_sizes on summed.cohort_month = cohort_sizes.cohort_month
)

select * from measured
