"""What consent lets through (R5), decided before an event is stored anywhere.

An event bears the consent that held when it was sent, in `context.consent.categoryPreferences`; what is not `true` there
was not given. Without `analytics`, only the two named events that the service itself needs pass, and of these only the
fields that say which request or checkout they were. Without `marketing`, no pixel event passes and no campaign is kept.
"""

ESSENTIAL_EVENTS = ("Request Sent", "Checkout Started")
ESSENTIAL_FIELDS = ("messageId", "type", "event", "userId", "receivedAt")
ESSENTIAL_PROPERTIES = ("request_id", "booking_id", "method")
ESSENTIAL_PATHS = (*ESSENTIAL_FIELDS, *(f"properties.{name}" for name in ESSENTIAL_PROPERTIES))
"""What of an essential event is kept without consent, by path."""

PIXEL_EVENT = "Pixel Fired"
WITHOUT_CAMPAIGN = '{"context":{"campaign":null}}'


def verdict_sql() -> str:
    """'whole', 'no_campaign', 'essential' or 'refused', from the columns type, event, analytics and marketing.

    `analytics` and `marketing` are booleans and never null.
    """
    essential = ", ".join(f"'{name}'" for name in ESSENTIAL_EVENTS)
    return f"""CASE
        WHEN analytics AND marketing THEN 'whole'
        WHEN analytics AND lower(trim(coalesce(event, ''))) <> '{PIXEL_EVENT.lower()}' THEN 'no_campaign'
        WHEN NOT analytics AND type = 'track' AND event IN ({essential}) THEN 'essential'
        ELSE 'refused'
    END"""


def permitted_sql(relation: str) -> str:
    """The rows of `relation` as consent leaves them, in the shape of landing; refused ones are not among them.

    `relation` has the columns of landing, and `verdict`.
    """
    return f"""
        SELECT
            message_id, received_at, type, event, user_id,
            CASE WHEN verdict <> 'essential' THEN anonymous_id END AS anonymous_id,
            CASE verdict
                WHEN 'whole' THEN payload
                WHEN 'essential' THEN {_essential_payload()}
                WHEN 'no_campaign' THEN
                    CASE
                        WHEN json_exists(payload, '$.context.campaign')
                        THEN json_merge_patch(payload, '{WITHOUT_CAMPAIGN}')::VARCHAR
                        ELSE payload
                    END
            END AS payload
        FROM {relation}
        WHERE verdict <> 'refused'"""


def _essential_payload() -> str:
    """Built from what may be kept, not by removing what may not; a property is kept only as a number or a short text."""
    properties = ", ".join(f"'{name}', {_scalar(name)}" for name in ESSENTIAL_PROPERTIES)
    kept = ", ".join(f"'{name}', json_extract(payload, '$.{name}')" for name in ESSENTIAL_FIELDS)
    # Merging into an empty object drops the fields that are null.
    return f"json_merge_patch('{{}}', json_object({kept}, 'properties', json_object({properties})))::VARCHAR"


def _scalar(name: str) -> str:
    value = f"json_extract(payload, '$.properties.{name}')"
    is_short = f"json_type({value}) IN ('VARCHAR', 'BIGINT', 'UBIGINT') AND length({value}::VARCHAR) <= 64"
    return f"CASE WHEN {is_short} THEN {value} END"
