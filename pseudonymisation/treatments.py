"""The treatments: what a purpose gets instead of a raw value, each as one expression of DuckDB's SQL.

Every function here is pure: it takes the SQL of a raw value and gives the SQL of the treated one. The expressions
use macros that `session.prepare_session` makes for one purpose: `keyed(kind, text)`, a UUID from HMAC-SHA-256 under the
purpose's pseudonym key; `municipality_of(postal_code)`; `network_of(ip)`; `plain_text(text)`; `validity_of(kind, text)`,
`organisation(org_number)` and `name_is_as_registered(org_number, name)`, which look up what `registries` has found out.
A null stays null everywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pseudonymisation.policy.model import NATURAL_TYPES, Column, Treatment
from storage import LeiiError

TIME_STEPS = {
    "minute": "date_trunc('minute', {})",
    "5 minutes": "time_bucket(INTERVAL 5 MINUTE, {})",
    "15 minutes": "time_bucket(INTERVAL 15 MINUTE, {})",
    "hour": "date_trunc('hour', {})",
    "day": "CAST({} AS DATE)",
    "month": "CAST(date_trunc('month', {}) AS DATE)",
}
"""How fine a time stays, coarsest last; days and months are UTC dates."""

CODE_PATTERN = "^[A-Za-z][A-Za-z _-]{0,39}$"
"""What `code` lets through: a short word without digits, which can hold no number, address or e-mail."""

EMAIL_PATTERN = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+\.[A-Za-z]"
PHONE_PATTERN = r"(?:\+|00)?(?:47)?[ -]?(?:\d[ -]?){8}"
URL_PATTERN = r"(?i)(https?://|www\.|\b[a-z0-9-]+\.(no|com|net|org)\b)"
PAYMENT_PATTERN = r"(?i)\b(vipps|kontonummer|kontant|cash|bankkonto|overf[øo]r|betal(e|ing)? (direkte|utenom|privat))"


@dataclass(frozen=True, kw_only=True)
class Output:
    """One column of a purpose's table: name, DuckDB type, and the expression that fills it."""

    name: str
    type: str
    sql: str


def treat(column: Column, treatment: Treatment, raw: str) -> list[Output]:
    """The output columns of one column under one treatment. Raises LeiiError for a treatment that does not exist."""
    build = TREATMENTS.get(treatment.name)
    if build is None:
        raise LeiiError(f"{column.path}: no treatment {treatment.name!r}; there are {', '.join(sorted(TREATMENTS))}")
    return build(column, treatment, raw)


def keep(column: Column, treatment: Treatment, raw: str) -> list[Output]:
    """The value itself. With `values`, only those; any other becomes null."""
    if column.values:
        known = ", ".join(f"'{value}'" for value in column.values)
        raw = f"CASE WHEN {raw} IN ({known}) THEN {raw} END"
    return [Output(name=treatment.output, type=NATURAL_TYPES[column.type], sql=raw)]


def code(column: Column, treatment: Treatment, raw: str) -> list[Output]:
    """A short code of another system; anything that is not one becomes null."""
    sql = f"CASE WHEN regexp_matches({raw}, '{CODE_PATTERN}') THEN {raw} END"
    return [Output(name=treatment.output, type="VARCHAR", sql=sql)]


def pseudonym(column: Column, treatment: Treatment, raw: str) -> list[Output]:
    """A keyed pseudonym of the identifier's kind. Subjects are not done here but by the join with the vault."""
    if column.identifier is None:
        raise LeiiError(f"{column.path}: a pseudonym needs `identifier`, the kind of value that it is")
    return [Output(name=treatment.output, type="UUID", sql=keyed_sql(column.identifier, raw))]


def coarsen_time(column: Column, treatment: Treatment, raw: str) -> list[Output]:
    """A time cut to a step of TIME_STEPS."""
    step = TIME_STEPS.get(str(treatment.parameter))
    if step is None:
        raise LeiiError(f"{column.path}: coarsen_time takes one of {', '.join(TIME_STEPS)}")
    type_ = "DATE" if "DATE" in step else "TIMESTAMPTZ"
    return [Output(name=treatment.output, type=type_, sql=step.format(raw))]


def coarsen_place(column: Column, treatment: Treatment, raw: str) -> list[Output]:
    """A postal code as its municipality's name; an unknown code becomes null."""
    if treatment.parameter != "municipality":
        raise LeiiError(f"{column.path}: coarsen_place takes municipality")
    return [Output(name=treatment.output, type="VARCHAR", sql=f"municipality_of({raw})")]


def coarsen_position(column: Column, treatment: Treatment, raw: str) -> list[Output]:
    """A coordinate as the nearest line of a grid, the parameter apart in degrees: of latitude, 0.1 is 11 km.

    What can be no coordinate (the app's columns take any number) is null.
    """
    step = treatment.parameter
    if not isinstance(step, float) or not 0.05 <= step <= 1:
        raise LeiiError(f"{column.path}: {treatment.name} takes a step of 0.05 to 1 degree")
    sql = f"TRY_CAST(round({raw} / {step}) * {step} AS DECIMAL(6, 2))"
    return [Output(name=treatment.output, type="DECIMAL(6, 2)", sql=sql)]


def coarsen_provider_position(column: Column, treatment: Treatment, raw: str) -> list[Output]:
    """As `coarsen_position`, of an account that offers services; nobody else's home is there."""
    (line,) = coarsen_position(column, treatment, raw)
    return [Output(name=line.name, type=line.type, sql=f"CASE WHEN is_provider THEN {line.sql} END")]


def coarsen_amount(column: Column, treatment: Treatment, raw: str) -> list[Output]:
    """An amount rounded half away from zero to a multiple of the step, in the amount's own unit."""
    if not isinstance(treatment.parameter, int) or treatment.parameter < 1:
        raise LeiiError(f"{column.path}: coarsen_amount takes a whole step of at least 1")
    step = treatment.parameter
    return [Output(name=treatment.output, type="BIGINT", sql=f"TRY_CAST(round({raw} / {step}.0) * {step} AS BIGINT)")]


def coarsen_network(column: Column, treatment: Treatment, raw: str) -> list[Output]:
    """An IP address as the keyed pseudonym of its network: /24 of IPv4, /48 of IPv6; anything else becomes null."""
    return [Output(name=treatment.output, type="UUID", sql=f"keyed('network', network_of({raw}))")]


def flag(column: Column, treatment: Treatment, raw: str) -> list[Output]:
    """A yes or no: `present`, or `of_age_at_sign_up` (18 years before the account was made; R22)."""
    tests = {
        "present": f"{raw} IS NOT NULL",
        "of_age_at_sign_up": f"{raw} <= CAST(created_at AS DATE) - INTERVAL 18 YEAR",
    }
    if treatment.parameter not in tests:
        raise LeiiError(f"{column.path}: flag takes one of {', '.join(tests)}")
    return [Output(name=treatment.output, type="BOOLEAN", sql=tests[str(treatment.parameter)])]


def derive(column: Column, treatment: Treatment, raw: str) -> list[Output]:
    """Features of a value: `text_features`, `list_length` or `user_agent_family`."""
    build = DERIVATIONS.get(str(treatment.parameter))
    if build is None:
        raise LeiiError(f"{column.path}: derive takes one of {', '.join(DERIVATIONS)}")
    return build(column, treatment, raw)


def text_features(column: Column, treatment: Treatment, raw: str) -> list[Output]:
    """Length in characters, contact or payment details offered, and a keyed fingerprint of the text itself (R13)."""
    name = treatment.output
    return [
        Output(name=f"{name}_length", type="INTEGER", sql=f"CAST(length({raw}) AS INTEGER)"),
        Output(name=f"{name}_has_email", type="BOOLEAN", sql=f"regexp_matches({raw}, '{EMAIL_PATTERN}')"),
        Output(name=f"{name}_has_phone", type="BOOLEAN", sql=f"regexp_matches({raw}, '{PHONE_PATTERN}')"),
        Output(name=f"{name}_has_url", type="BOOLEAN", sql=f"regexp_matches({raw}, '{URL_PATTERN}')"),
        Output(name=f"{name}_has_payment_word", type="BOOLEAN", sql=f"regexp_matches({raw}, '{PAYMENT_PATTERN}')"),
        Output(name=f"{name}_fingerprint", type="UUID", sql=f"keyed('text', plain_text({raw}))"),
    ]


def list_length(column: Column, treatment: Treatment, raw: str) -> list[Output]:
    """How many elements; the elements themselves stay behind."""
    sql = f"CAST(len({raw}) AS INTEGER)" if column.type == "list" else f"CAST(json_array_length({raw}) AS INTEGER)"
    return [Output(name=treatment.output, type="INTEGER", sql=sql)]


def user_agent_family(column: Column, treatment: Treatment, raw: str) -> list[Output]:
    """The browser's or app's family, and the class of device."""
    family = (
        f"CASE WHEN {raw} IS NULL THEN NULL WHEN {raw} ILIKE '%edg/%' THEN 'edge' WHEN {raw} ILIKE '%firefox%' THEN 'firefox' "
        f"WHEN {raw} ILIKE '%chrome%' THEN 'chrome' WHEN {raw} ILIKE '%safari%' THEN 'safari' "
        f"WHEN {raw} ILIKE '%leii%' THEN 'app' ELSE 'other' END"
    )
    device = (
        f"CASE WHEN {raw} IS NULL THEN NULL WHEN {raw} ILIKE '%ipad%' OR {raw} ILIKE '%tablet%' THEN 'tablet' "
        f"WHEN {raw} ILIKE '%mobi%' OR {raw} ILIKE '%iphone%' OR {raw} ILIKE '%android%' THEN 'phone' ELSE 'computer' END"
    )
    return [
        Output(name=f"{treatment.output}_family", type="VARCHAR", sql=family),
        Output(name=f"{treatment.output}_device_class", type="VARCHAR", sql=device),
    ]


def validate(column: Column, treatment: Treatment, raw: str) -> list[Output]:
    """Whether the value is one by its register (R3), beside what the purpose gets of it: `pseudonym` or `municipality`.

    `<column>_validity` is valid, invalid or unknown, and null where nothing was stated. Of an organisation number also
    what Enhetsregisteret said of it; see `organisation_outputs`.
    """
    kind = column.identifier or column.path
    if kind not in VALIDATED:
        raise LeiiError(f"{column.path}: validate knows {', '.join(VALIDATED)}")
    if treatment.parameter not in (None, "pseudonym", "municipality"):
        raise LeiiError(f"{column.path}: validate takes pseudonym, municipality or nothing")
    given: list[Output] = []
    if treatment.parameter == "pseudonym":
        given = pseudonym(column, treatment, raw)
    elif treatment.parameter == "municipality":
        given = coarsen_place(column, treatment, raw)
    validity = Output(name=f"{column.path}_validity", type="VARCHAR", sql=f"validity_of('{kind}', {raw})")
    return [*given, validity, *(organisation_outputs(raw) if kind == "org_number" else ())]


def organisation_outputs(raw: str) -> list[Output]:
    """`organisation_registration`: valid (Enhetsregisteret knows the number), invalid (it does not), unknown (it gave no
    answer that says so) or not_asked. The flags are null wherever it did not say."""
    answer = f"organisation({raw})"
    registration = f"CASE WHEN nullif(trim({raw}), '') IS NOT NULL THEN coalesce({answer}.outcome, 'not_asked') END"
    flags = ("is_deregistered", "is_bankrupt", "is_winding_up")
    return [
        Output(name="organisation_registration", type="VARCHAR", sql=registration),
        *(Output(name=f"organisation_{flag}", type="BOOLEAN", sql=f"{answer}.{flag}") for flag in flags),
    ]


def registered_name(column: Column, treatment: Treatment, raw: str) -> list[Output]:
    """Whether a name agrees with the one that Enhetsregisteret has for the number in the column that the parameter names;
    null where it has not been asked or did not say."""
    if not treatment.parameter:
        raise LeiiError(f"{column.path}: registered_name takes the column of the organisation number")
    sql = f'name_is_as_registered("{treatment.parameter}", {raw})'
    return [Output(name=treatment.output, type="BOOLEAN", sql=sql)]


VALIDATED = ("org_number", "national_id", "bank_account", "phone", "postal_code")
"""Kinds of values that `validate` can check."""

NORMAL_FORMS = {
    "phone": "right(regexp_replace({}, '[^0-9]', '', 'g'), 8)",
    "email": "lower(trim({}))",
    "org_number": "regexp_replace({}, '[^0-9]', '', 'g')",
    "bank_account": "regexp_replace({}, '[^0-9]', '', 'g')",
    "national_id": "regexp_replace({}, '[^0-9]', '', 'g')",
    "referral_code": "upper(trim({}))",
}
"""How values of a kind are written before they are compared, so that +47 400 00 001 equals 40000001."""


def keyed_sql(kind: str, raw: str) -> str:
    """The keyed pseudonym of a value that is not a subject."""
    normal = NORMAL_FORMS.get(kind, "CAST({} AS VARCHAR)").format(raw)
    return f"keyed('{kind}', nullif({normal}, ''))"


TREATMENTS: dict[str, Callable[[Column, Treatment, str], list[Output]]] = {
    "keep": keep,
    "code": code,
    "pseudonym": pseudonym,
    "coarsen_time": coarsen_time,
    "coarsen_place": coarsen_place,
    "coarsen_position": coarsen_position,
    "coarsen_provider_position": coarsen_provider_position,
    "coarsen_amount": coarsen_amount,
    "coarsen_network": coarsen_network,
    "flag": flag,
    "derive": derive,
    "validate": validate,
    "registered_name": registered_name,
}

DERIVATIONS: dict[str, Callable[[Column, Treatment, str], list[Output]]] = {
    "text_features": text_features,
    "list_length": list_length,
    "user_agent_family": user_agent_family,
}
