"""What consent lets through (R5, R27), decided before an event is stored anywhere.

An event bears the consent that held when it was sent, in `context.consent.categoryPreferences`; what is not `true` there
was not given. The app's own record counts too: what it says newest at `receivedAt`, of the account or of the cookie. Both
must allow it. Without `analytics`, only the two named events that the service itself needs pass, and of these only the
fields that say which request or checkout they were. Without `marketing`, no pixel event passes and no campaign is kept.

A tool that the user has switched off stands in the event's `integrations` (Segment's: a name with `false`; `All` for those
that are not named). Leii's own analysis is the tool `Leii`, without which an event passes as without `analytics`; a
pixel is the tool that its property `pixel` names (`facebook` is also `Facebook Pixel`).
"""

ESSENTIAL_EVENTS = ("Request Sent", "Checkout Started")
ESSENTIAL_FIELDS = ("messageId", "type", "event", "userId", "receivedAt")
ESSENTIAL_PROPERTIES = ("request_id", "booking_id", "method")
ESSENTIAL_PATHS = (*ESSENTIAL_FIELDS, *(f"properties.{name}" for name in ESSENTIAL_PROPERTIES))
"""What of an essential event is kept without consent, by path."""

PIXEL_EVENT = "Pixel Fired"
OWN_TOOL = "leii"
ESSENTIAL_LENGTH = 64
WITHOUT_CAMPAIGN = '{"context":{"campaign":null}}'

CATEGORIES = {"analytics_cookies": "analytics", "marketing_cookies": "marketing"}
"""The event's category of consent that each purpose of the app's records is about."""

REFUSALS = f"""
with state as (
    select coalesce(account_id::text, anonymous_id) as who,
        case when account_id is null then 'anonymous' else 'account' end as kind,
        case purpose {" ".join(f"when '{purpose}' then '{category}'" for purpose, category in CATEGORIES.items())} end as category,
        granted, recorded_at, consent_id
    from app.consent
    where purpose in ({", ".join(f"'{purpose}'" for purpose in CATEGORIES)})
),
stretch as (
    select who, kind, category, granted, recorded_at as since,
        lead(recorded_at) over (partition by who, kind, category order by recorded_at, consent_id) as until
    from state where who is not null
)
select who, kind, category, since, until from stretch where not granted
"""
"""For PostgreSQL: the times in which the app's newest record was a refusal; `until` is null where it still is."""


def refused_sql(relation: str) -> str:
    """Which rows of `relation` the app's records refuse: (file, line, category). The table `refusal` has REFUSALS' columns.

    `relation` has file, line, received_at, user_id, anonymous_id.
    """
    return " UNION ".join(
        f"SELECT file, line, category FROM {relation} JOIN refusal ON kind = '{kind}' AND who = {column} "
        "WHERE received_at >= since AND (until IS NULL OR received_at < until)"
        for kind, column in (("account", "user_id"), ("anonymous", "anonymous_id"))
    )


def ruled_sql(relation: str) -> str:
    """The rows of `relation` with `analytics` and `marketing` as all records together say, and `verdict`.

    `relation` has file, line, type, event, pixel (the tool's name), tools_off and tools_on (lists of names, see
    `tool_name`), and the event's own analytics and marketing, never null. The table `refused` is that of `refused_sql`.
    """
    allowed = ", ".join(
        f"{name} AND {tool} (file, line) NOT IN (SELECT (file, line) FROM refused WHERE category = '{name}') AS {name}"
        for name, tool in (("analytics", f"NOT {_is_off(repr(OWN_TOOL))} AND"), ("marketing", ""))
    )
    return f"SELECT *, {_verdict()} AS verdict FROM (SELECT * REPLACE ({allowed}) FROM {relation})"


def permitted_sql(relation: str, *beside: str) -> str:
    """The rows of `relation` as consent leaves them, in the shape of landing, with further columns `beside`; refused ones are
    not among them.

    `relation` is as `ruled_sql` gives it, with the columns of landing and `essential_payload`.
    """
    return f"""
        SELECT
            message_id, received_at, type, event, user_id,
            CASE WHEN verdict <> 'essential' THEN anonymous_id END AS anonymous_id,
            CASE
                WHEN verdict = 'essential' THEN essential_payload
                WHEN NOT marketing AND json_exists(payload, '$.context.campaign')
                THEN json_merge_patch(payload, '{WITHOUT_CAMPAIGN}')::VARCHAR
                ELSE payload
            END AS payload{"".join(f", {name}" for name in beside)}
        FROM {relation}
        WHERE verdict <> 'refused'"""


def essential_value(value: str) -> str:
    """A property of an essential event, given as JSON: kept only as a number or a short text."""
    is_short = (
        f"json_type({value}) IN ('VARCHAR', 'BIGINT', 'UBIGINT') AND length({value}::VARCHAR) <= {ESSENTIAL_LENGTH}"
    )
    return f"CASE WHEN {is_short} THEN {value} END"


def tool_name(text: str) -> str:
    """SQL for a tool's name as it is compared: letters and digits, small."""
    return f"regexp_replace(lower({text}), '[^a-z0-9]', '', 'g')"


def _verdict() -> str:
    """'whole', 'essential' or 'refused'."""
    essential = ", ".join(f"'{name}'" for name in ESSENTIAL_EVENTS)
    is_pixel = f"lower(trim(coalesce(event, ''))) = '{PIXEL_EVENT.lower()}'"
    return f"""CASE
        WHEN {is_pixel} AND (NOT marketing OR {_is_off("pixel")}) THEN 'refused'
        WHEN analytics THEN 'whole'
        WHEN type = 'track' AND event IN ({essential}) THEN 'essential'
        ELSE 'refused'
    END"""


def _is_off(tool: str) -> str:
    """Whether the user has switched the tool off; of a tool without a name, whether any is off."""
    named = f"list_filter({{}}, name -> starts_with(name, {tool}))"
    off, on = (f"len({named.format(names)}) > 0" for names in ("tools_off", "tools_on"))
    unknown = "len(tools_off) > 0"
    return f"""(len(tools_off) > 0 AND CASE
        WHEN coalesce({tool}, '') = '' THEN {unknown}
        ELSE {off} OR (list_contains(tools_off, 'all') AND NOT ({on}))
    END)"""
