{#
  What the model beside the rules is told about a payment. `windows` and the delay are those of the Fraud Detection
  Handbook (Le Borgne, Siblini, Lebichot, Bontempi, ULB 2022, chapter 3, "Baseline feature transformation").
    windows        days over which a customer's spending and a provider's payments and risk are counted
    report_windows days over which a provider's reports, and the plain ones among them, are counted
    delay_days     after so many days without a report a payment counts as honest, until one comes
    usual_days     days before a payment from which the customer's usual amount (the median) is taken
    unusual_ratio  from so many times the usual amount on, an amount is unusual
#}
{% macro fraud_model_settings() -%}
    {{ return({"windows": [1, 7, 30], "report_windows": [7, 30], "delay_days": 7, "usual_days": 90, "unusual_ratio": 2.5}) }}
{%- endmacro %}

{# A window of one party's rows: from so many days before the row up to it, or to the second before it. #}
{% macro fraud_days(party, days, before=false) -%}
    (
        partition by {{ party }} order by at_second
        range between {{ days * 86400 }} preceding and {{ "1 preceding" if before else "current row" }}
    )
{%- endmacro %}

{# The model in use, which training leaves in the purpose's file; no dbt model makes it, so `source` does not know it. #}
{% macro fraud_scorecard_table(name) -%}
    {{ target.database }}.src.{{ name }}
{%- endmacro %}

{# The features that a scorecard may have: the numbers of int_transaction_feature. #}
{% macro fraud_model_features() -%}
    {%- set names = [
        "amount_nok", "risk_score", "is_weekend", "is_night", "customer_age_days", "provider_age_days",
        "customer_declines_1d", "customer_history", "amount_ratio", "amount_to_highest", "spending_ratio_7d",
        "spending_ratio_14d", "highest_ratio_14d", "unusual_payments_3d", "unusual_payments_14d",
        "provider_risk_last_3", "provider_risk_last_5", "provider_plain_risk_last_3", "provider_fraud_in_a_row",
        "provider_days_since_fraud", "provider_days_since_plain_fraud", "provider_days_of_fraud_in_a_row",
    ] -%}
    {%- for days in fraud_model_settings().windows -%}
        {%- do names.extend([
            "customer_payments_" ~ days ~ "d", "customer_mean_nok_" ~ days ~ "d",
            "provider_payments_" ~ days ~ "d", "provider_risk_" ~ days ~ "d",
        ]) -%}
    {%- endfor -%}
    {%- for days in fraud_model_settings().report_windows -%}
        {%- do names.extend([
            "provider_reports_" ~ days ~ "d", "provider_plain_reports_" ~ days ~ "d", "provider_plain_risk_" ~ days ~ "d",
        ]) -%}
    {%- endfor -%}
    {{ return(names) }}
{%- endmacro %}

{# A JSON list, weightiest first, of the three features that speak most for fraud: {feature, value, points}. #}
{% macro fraud_contributions_json(feature, value, points) -%}
    {{ return(adapter.dispatch("fraud_contributions_json", "leii")(feature, value, points)) }}
{%- endmacro %}
{% macro default__fraud_contributions_json(feature, value, points) -%}
    coalesce(cast(to_json(list_slice(
        list(
            struct_pack(feature := {{ feature }}, value := round({{ value }}, 3), points := round({{ points }}, 3))
            order by {{ points }} desc, {{ feature }}
        ) filter (where {{ points }} > 0), 1, 3
    )) as varchar), '[]')
{%- endmacro %}
