{#
  The one table of the fraud rules: texts, thresholds, windows and weights, with the version that they stand under.
    family       rules of one family look at the same evidence; of those that hit, only the weightiest enters a score. A rule
                 without one stands by itself
    threshold    the value from which on the rule hits; `value` of a hit is compared with it
    is_at_most   the rule hits up to the threshold, and the smaller value is the graver
    at_least     the fewest cases (bookings, payments, people) that the rule speaks about
    window_days  only evidence of so many days counts
    weight       how much one hit says by itself, 0..1: how sure the desk may be that somebody with no other finding is a
                 fraud. Set by judgement; agg_rule_performance has beside it what the desk's decisions came to
    only_with_others  the rule says nothing about an account that no other rule has hit
  Change the version of a rule with whatever changes its hits or its weight. No rule looks at nationality, language or origin.
#}
{% macro fraud_rules() -%}
    {{ return([
        {"code": "ATO01", "version": 1, "family": "takeover", "threshold": 5, "window_days": 90, "weight": 0.2,
         "text_nb": "Mange mislykkede innlogginger innen en time", "text_en": "Many failed logins within an hour"},
        {"code": "ATO02", "version": 1, "family": "takeover", "threshold": 2, "window_days": 90, "weight": 0.4,
         "text_nb": "Innlogging fra ny enhet sammen med nytt land, eller med nytt nettverk rett etter mislykkede forsøk",
         "text_en": "Login from a new device together with a new country, or with a new network right after failed attempts"},
        {"code": "ATO03", "version": 1, "family": "takeover", "threshold": 72, "is_at_most": true, "window_days": 90, "weight": 0.6,
         "text_nb": "Tilbyderprofil med utbetalingskonto endret kort tid etter mistenkelig innlogging (timer)",
         "text_en": "Provider profile with payout account changed shortly after a suspicious login (hours)"},
        {"code": "DEV01", "version": 2, "family": "device", "threshold": 6, "window_days": 30, "weight": 0.5,
         "text_nb": "Mange enheter på én konto i løpet av 30 dager", "text_en": "Many devices on one account within 30 days"},
        {"code": "DEV02", "version": 2, "family": "device", "threshold": 25, "window_days": 30, "weight": 0.2,
         "text_nb": "Mange nettverk på én konto i løpet av 30 dager", "text_en": "Many networks on one account within 30 days"},
        {"code": "DEV03", "version": 1, "family": "device", "threshold": 4, "window_days": 30, "weight": 0.3,
         "text_nb": "Mange land på én konto i løpet av 30 dager", "text_en": "Many countries on one account within 30 days"},
        {"code": "ID01", "version": 3, "family": "identity", "threshold": 2, "window_days": 730, "weight": 0.4,
         "text_nb": "Telefonnummer delt med andre kontoer", "text_en": "Phone number shared with other accounts"},
        {"code": "ID02", "version": 3, "family": "identity", "threshold": 2, "window_days": 365, "weight": 0.5,
         "text_nb": "Kort, bankkonto eller enhet delt med andre kontoer utover en husstand",
         "text_en": "Card, bank account or device shared with other accounts beyond a household"},
        {"code": "ID03", "version": 3, "family": "identity", "threshold": 1, "window_days": 730, "weight": 0.6,
         "text_nb": "Henger sammen med en utestengt konto", "text_en": "Linked to a banned account"},
        {"code": "ID04", "version": 2, "family": "identity", "threshold": 2, "window_days": 730, "weight": 0.6,
         "text_nb": "Fødselsnummer brukt på flere kontoer", "text_en": "National id used on several accounts"},
        {"code": "COL01", "version": 2, "family": "identity", "threshold": 1, "window_days": 365, "weight": 0.6,
         "text_nb": "Kunde og tilbyder i samme oppdrag deler identitet (antall kjennetegn)",
         "text_en": "Customer and provider of one booking share identifiers (number of kinds)"},
        {"code": "COL02", "version": 1, "family": "collusion", "threshold": 0.5, "at_least": 5, "window_days": 180, "weight": 0.3,
         "text_nb": "Ett kundeforhold står for størstedelen av tilbyderens omsetning (andel)",
         "text_en": "One customer makes up most of the provider's turnover (share)"},
        {"code": "COL03", "version": 1, "family": "collusion", "threshold": 30, "is_at_most": true, "window_days": 180, "weight": 0.3,
         "text_nb": "Oppdrag bestilt og fullført på usannsynlig kort tid (minutter)",
         "text_en": "Job booked and completed in an implausibly short time (minutes)"},
        {"code": "REV01", "version": 1, "family": "review", "threshold": 2, "window_days": 180, "weight": 0.5,
         "text_nb": "Vurderinger fra egen krets eller uten utført oppdrag (antall)",
         "text_en": "Reviews from the own circle or without a job done (number)"},
        {"code": "REV02", "version": 1, "family": "review", "threshold": 5, "window_days": 180, "weight": 0.3,
         "text_nb": "Mange gode vurderinger på tre dager, langt over det vanlige",
         "text_en": "Many good reviews within three days, far above the usual"},
        {"code": "CHT01", "version": 1, "family": "chat", "threshold": 3, "window_days": 90, "weight": 0.5,
         "text_nb": "Tilbyr kontakt eller betaling utenfor plattformen før bestilling (antall mottakere)",
         "text_en": "Offers contact or payment off the platform before a booking (number of recipients)"},
        {"code": "CHT02", "version": 1, "family": "chat", "threshold": 10, "window_days": 90, "weight": 0.5,
         "text_nb": "Samme melding til mange uten oppdrag dem imellom (antall mottakere på sju dager)",
         "text_en": "The same message to many without a booking between them (recipients within seven days)"},
        {"code": "PAY01", "version": 1, "family": "payment", "threshold": 75, "window_days": 90, "weight": 0.4,
         "text_nb": "Høy risiko ved betaling ifølge Stripe", "text_en": "High payment risk according to Stripe"},
        {"code": "PAY02", "version": 1, "family": "payment", "threshold": 3, "window_days": 90, "weight": 0.4,
         "text_nb": "Gjentatte avviste betalinger innen et døgn", "text_en": "Repeated declined payments within a day"},
        {"code": "PAY03", "version": 1, "family": "payment", "threshold": 3, "window_days": 90, "weight": 0.5,
         "text_nb": "Mange nye kort på én konto innen sju dager (antall)",
         "text_en": "Many new cards on one account within seven days (number)"},
        {"code": "PAY04", "version": 2, "family": "chargeback", "threshold": 1, "window_days": 180, "weight": 0.7,
         "text_nb": "Kortutsteder varsler svindel, eller betalingen er bestridt som svindel (antall)",
         "text_en": "Fraud warning from the card issuer, or payment disputed as fraud (number)"},
        {"code": "PAY05", "version": 1, "family": "payment", "threshold": 5, "at_least": 3, "window_days": 90, "weight": 0.2,
         "text_nb": "Betaling langt over kontoens eget snitt de siste 30 dagene (ganger snittet)",
         "text_en": "Payment far above the account's own mean of the last 30 days (times the mean)"},
        {"code": "PAY06", "version": 1, "family": "provider_payment", "threshold": 0.3, "at_least": 2, "window_days": 90,
         "weight": 0.4,
         "text_nb": "Mange av tilbyderens betalinger i løpet av sju dager ble siden meldt som svindel (andel)",
         "text_en": "Many of the provider's payments within seven days were later reported as fraud (share)"},
        {"code": "PRO01", "version": 1, "family": "promotion", "threshold": 2, "window_days": 365, "weight": 0.4,
         "text_nb": "Samme kampanjekode brukt flere ganger av kontoer som henger sammen (antall)",
         "text_en": "The same promotion redeemed several times by accounts that belong together (number)"},
        {"code": "REG01", "version": 2, "family": "registry", "threshold": 2, "window_days": 365, "weight": 0.5,
         "text_nb": "Opplysninger stemmer ikke med offentlig register eller legitimasjon (poeng: avvist 2, tvil 1)",
         "text_en": "What was stated does not agree with a public register or a proof of identity (points: denied 2, doubt 1)"},
        {"code": "HAR01", "version": 1, "family": "conduct", "threshold": 2, "window_days": 180, "weight": 0.6,
         "text_nb": "Flere har fått medhold i klage på trakassering eller spam (antall)",
         "text_en": "Several complaints of harassment or spam closed by support (number of complainants)"},
        {"code": "MOD01", "version": 1, "family": "payment", "threshold": 0.5, "window_days": 90, "weight": 0.5,
         "text_nb": "Modellen anslår at en betaling trolig er svindel (sannsynlighet)",
         "text_en": "The model takes a payment for probable fraud (probability)"},
        {"code": "NEW01", "version": 1, "family": "age", "threshold": 14, "is_at_most": true, "window_days": 90, "weight": 0.2,
         "only_with_others": true,
         "text_nb": "Kontoen var helt ny da noe annet ble funnet (dager)",
         "text_en": "The account was brand new when something else was found (days)"},
    ]) }}
{%- endmacro %}

{#
  What is recommended from which score on, the gravest last. The lowest score of the table is the one from which on there is
  a flag at all. Nothing acts by itself: a person decides.
#}
{% macro fraud_actions() -%}
    {{ return([
        {"action": "review", "from_score": 0.5},
        {"action": "block_and_review", "from_score": 0.8},
    ]) }}
{%- endmacro %}

{#
  What is not one rule's own: how long a flag lives, how many flags the desk can decide on in a week (set it to what yours
  can), how long a fraud takes to be reported and somebody to prove who they are, and which identifiers tie accounts together.
#}
{% macro fraud_settings() -%}
    {{ return({
        "flag_days": 90,
        "alert_budget": 50,
        "report_delay_days": 7,
        "identity_check_days": 7,
        "degree_cap": 10,
        "clustering_kinds": ["phone", "email", "national_id", "bank_account", "bank_fingerprint", "card", "device"],
    }) }}
{%- endmacro %}

{# The score from which on there is a flag. #}
{% macro fraud_flag_from_score() -%}
    {{ fraud_actions() | map(attribute="from_score") | min }}
{%- endmacro %}

{# One rule of the table by its code. #}
{% macro fraud_rule(code) -%}
    {%- for rule in fraud_rules() if rule.code == code -%}
        {{ return(rule) }}
    {%- endfor -%}
    {{ exceptions.raise_compiler_error("no fraud rule " ~ code ~ " in macros/fraud_rules.sql") }}
{%- endmacro %}

{# A rule's threshold. #}
{% macro fraud_threshold(code) -%}
    {{ fraud_rule(code).threshold }}
{%- endmacro %}

{# The fewest cases that a rule speaks about. #}
{% macro fraud_at_least(code) -%}
    {{ fraud_rule(code).at_least }}
{%- endmacro %}

{# True where a time lies within a rule's window before the run's time, and not after it. #}
{% macro fraud_in_window(code, time) -%}
    {{ time }} > {{ dbt.dateadd("day", -fraud_rule(code).window_days, fraud_as_of()) }} and {{ time }} <= {{ fraud_as_of() }}
{%- endmacro %}

{#
  The columns of a hit, in the order in which fct_rule_hit unites them. `retracted` is true where the evidence has since been
  taken back by whoever gave it (a dispute that the card holder lost, a ban that was lifted). `arose_at` is when the evidence
  came to be, where that is earlier than when it was last seen: what the desk has overturned does not come back because two
  people log in again on the device that they share.
#}
{% macro fraud_hit(
    code, account_id, value, observed_at, counterpart_id="null", evidence_id="null", retracted="false", arose_at=none
) -%}
    '{{ code }}' as rule_code,
    {{ account_id }} as account_id,
    cast({{ counterpart_id }} as {{ uuid_type() }}) as counterpart_id,
    cast({{ evidence_id }} as {{ uuid_type() }}) as evidence_id,
    cast({{ value }} as double) as value,
    {{ retracted }} as is_retracted,
    {{ arose_at or observed_at }} as arose_at,
    {{ observed_at }} as observed_at
{%- endmacro %}

{# The version of the whole table: the sum of the rules' versions, after the number of rules. #}
{% macro fraud_rules_version() -%}
    {{ fraud_rules() | length }}.{{ fraud_rules() | sum(attribute="version") }}
{%- endmacro %}
