"""What makes a line of an event file an event, as SQL over a table of raw lines.

The rules are tried in order; the first that is broken names the reason, which never repeats what the line holds.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from ingestion.consent import ESSENTIAL_FIELDS, ESSENTIAL_PROPERTIES, essential_value, tool_name
from ingestion.event_fields import COUNTRY, JSON_TYPES, EventFields
from ingestion.event_reduction import COARSENED, payload_sql
from ingestion.ip_countries import address_number

MAX_LINE_BYTES = 65_536
MAX_ID_LENGTH = 256
EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
MAX_AHEAD = timedelta(days=1)
TYPES = ("track", "page", "screen", "identify", "alias")
DAMAGE = {
    "truncated_file": "the file ends in the middle",
    "damaged_file": "the file is damaged from here on",
    "empty_file": "the file is empty",
    "unreadable_file": "the file could not be opened; it is tried again on the next pass",
}

# Every path is read in one go; SQL lists count from 1.
FIELDS = (
    "$",
    "$.messageId",
    "$.type",
    "$.event",
    "$.receivedAt",
    "$.userId",
    "$.anonymousId",
    "$.properties",
    "$.traits",
    "$.context",
    "$.context.consent.categoryPreferences.analytics",
    "$.context.consent.categoryPreferences.marketing",
    "$.integrations",
    "$.properties.pixel",
    "$.context.ip",
)
TEXTS = (*FIELDS[1:7], *FIELDS[10:])
OBJECTS = ("$", "$.context", "$.context.consent", "$.context.consent.categoryPreferences", "$.properties")

ENVELOPE_SQL = {
    "messageId": "message_id",
    "type": "type",
    "event": "event",
    "userId": "user_id",
    "anonymousId": "anonymous_id",
    "receivedAt": "texts[4]",
}
TYPE_WORDS = {
    "text": "text",
    "identifier": "text or a whole number",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "timestamp": "text",
    "date": "text",
    "list": "a list",
}
RETYPED = "retyped "
"""What the code of a field of another type begins with; the field's path follows."""

BLANK = r"[ \t]*[\r\n]*"
"""Asked of a line with its end, because DuckDB's `trim` walks through the whole of a text."""

UUID = "[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
ISO_TIME = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}(:?\d{2})?)"


def checked_sql(now: datetime, fields: EventFields, *, with_countries: bool = False) -> str:
    """Every line of the table `line` (file INTEGER, line BIGINT, content BLOB) with what is wrong with it, or the event.

    Columns: file, line, reason_code; content, where it may be wanted for quarantine. Of an event: message_hash (128 bits),
    message_id, received_at, type, event, user_id, anonymous_id; payload and essential_payload, with `fields` alone and
    reduced; retyped, the code of the first field of another type, which counts where the event is kept; analytics,
    marketing, pixel, tools_off and tools_on, by which consent is ruled; names and property_names; ip_number, for its
    country, if that is asked for. Blank lines are left out.
    """
    reasons = "\n".join(f"            WHEN {condition} THEN '{code}'" for code, _, condition in _rules(now))
    received_at = _text("$.receivedAt")
    kept = [f"$.{quoted_path(field.path)}" for field in fields.kept]
    return f"""
    WITH decoded AS (
        SELECT file, line, content,
            CASE WHEN octet_length(content) <= {MAX_LINE_BYTES} THEN TRY(decode(content)) END AS text
        FROM line
    ), documents AS (
        SELECT *, CASE WHEN json_valid(text) THEN text END AS document FROM decoded
    ), extracted AS (
        SELECT *,
            json_type(document, {_paths((*FIELDS, *kept))}) AS types,
            json_extract_string(document, {_paths(TEXTS)}) AS texts,
            json_keys(document, {_paths(OBJECTS)}) AS names,
            json_extract(document, {_paths(("$.type", *kept))}) AS kept
        FROM documents
        WHERE text IS NULL OR NOT regexp_full_match(text, '{BLANK}')
    ), named AS (
        SELECT *,
            {_text("$.messageId")} AS message_id, {_text("$.type")} AS type, nullif({_text("$.event")}, '') AS event,
            CASE WHEN regexp_full_match({received_at}, '{ISO_TIME}') THEN TRY_CAST({received_at} AS TIMESTAMPTZ) END
                AS received_at,
            lower(nullif({_text("$.userId")}, '')) AS user_id, nullif({_text("$.anonymousId")}, '') AS anonymous_id
        FROM extracted
    ), judged AS (
        SELECT *, CASE
{reasons}
        END AS reason_code, {_retyped(fields)} AS retyped{_exact(fields)}
        FROM named
    )
    SELECT file, line, reason_code, CASE WHEN reason_code IS NOT NULL OR retyped IS NOT NULL THEN content END AS content,
        CASE WHEN reason_code IS NULL THEN md5_number(message_id) END AS message_hash,
        message_id, received_at, type, event, user_id, anonymous_id, retyped,
        CASE WHEN reason_code IS NULL THEN {_payload(fields)} END AS payload,
        CASE WHEN reason_code IS NULL AND type = 'track' THEN {_essential_payload(fields)} END AS essential_payload,
        {_is_true("analytics")} AS analytics, {_is_true("marketing")} AS marketing,
        {address_number(_text("$.context.ip")) if with_countries else "CAST(NULL AS BIGINT)"} AS ip_number,
        {tool_name(_text("$.properties.pixel"))} AS pixel, {_tools("= 'false'")} AS tools_off, {_tools("<> 'false'")} AS tools_on,
        names[1] AS names, names[{len(OBJECTS)}] AS property_names
    FROM judged"""


def reason_sql(fields: EventFields) -> str:
    """The words for `reason_code`."""
    words = {code: reason for code, reason, _ in _rules(EARLIEST)} | DAMAGE
    words |= {f"{RETYPED}{field.path}": f"{field.path} is not {TYPE_WORDS[field.type]}" for field in fields.kept}
    cases = " ".join(f"WHEN '{code}' THEN '{reason}'" for code, reason in words.items())
    return f"CASE reason_code {cases} END"


def quoted_path(path: str) -> str:
    """A dotted path as DuckDB's JSON path takes it after `$.`."""
    return ".".join(f'"{part}"' for part in path.split("."))


def _payload(fields: EventFields) -> str:
    value = _kept_value(fields)
    return payload_sql(
        ENVELOPE_SQL,
        [field.path for field in fields.kept if field.path != COUNTRY],
        lambda path: COARSENED[path](_exact_name(path)) if path in COARSENED else value(path),
    )


def _exact(fields: EventFields) -> str:
    """Columns with the texts that are going to be reduced: within a CASE, each mention of an expression is worked out anew."""
    value = _kept_value(fields)
    paths = [field.path for field in fields.kept if field.path in COARSENED]
    return "".join(f", {value(path)} ->> '$' AS {_exact_name(path)}" for path in paths)


def _exact_name(path: str) -> str:
    return f'"exact {path}"'


def _essential_payload(fields: EventFields) -> str:
    """Built from what may be kept, not by removing what may not."""
    value = _kept_value(fields)
    wanted = [f"properties.{name}" for name in ESSENTIAL_PROPERTIES]
    return payload_sql(
        {name: ENVELOPE_SQL[name] for name in ESSENTIAL_FIELDS},
        [field.path for field in fields.kept if field.path in wanted],
        lambda path: essential_value(value(path)),
    )


def _kept_value(fields: EventFields) -> Callable[[str], str]:
    places = {field.path: place for place, field in enumerate(fields.kept, start=2)}
    return lambda path: f"kept[{places[path]}]"


def _retyped(fields: EventFields) -> str:
    """The code of the first kept field whose JSON type is not what the policy says."""
    cases = "".join(
        f" WHEN coalesce(types[{place}], 'NULL') NOT IN ({_quoted(('NULL', *JSON_TYPES[field.type]))}) "
        f"THEN '{RETYPED}{field.path}'"
        for place, field in enumerate(fields.kept, start=len(FIELDS) + 1)
        if field.path != COUNTRY
    )
    return f"CASE{cases} END" if cases else "CAST(NULL AS VARCHAR)"


def _tools(condition: str) -> str:
    """The names of the tools whose switch in `integrations` fulfils the condition; a switch that is null says nothing."""
    switches = _text("$.integrations")
    pairs = f"list_zip(json_keys({switches}), json_extract({switches}, '$.*'))"  # no map: a name may stand twice
    chosen = f"list_filter({pairs}, pair -> pair[2]::VARCHAR {condition} AND pair[2]::VARCHAR <> 'null')"
    names = f"list_transform({chosen}, pair -> {tool_name('pair[1]')})"
    return f"CASE WHEN {_type('$.integrations')} = 'OBJECT' AND {_text('$.integrations')} <> '{{}}' THEN {names} ELSE [] END"


def _quoted(texts: tuple[str, ...]) -> str:
    return ", ".join(f"'{text}'" for text in texts)


def _rules(now: datetime) -> list[tuple[str, str, str]]:
    """Code, words, and the condition under which a line breaks the rule."""
    printable = f"no text of 1 to {MAX_ID_LENGTH} printable characters"
    return [
        ("too_long", "the line is longer than 64 kB", f"octet_length(content) > {MAX_LINE_BYTES}"),
        ("not_utf8", "the line is not UTF-8", "text IS NULL"),
        ("not_json", "the line is not JSON", "document IS NULL"),
        ("not_an_object", "the line is no JSON object", f"{_type('$')} <> 'OBJECT'"),
        ("double_names", "a name stands twice among the fields or in the consent", _has_double_names()),
        ("message_id", f"messageId is {printable}", f"NOT {_is_id('messageId', 'message_id')}"),
        ("type", f"type is none of {', '.join(TYPES)}", _is_wrong_type()),
        ("event", "event is no printable text, or is missing from a track", _is_wrong_event()),
        ("received_at", "receivedAt is no ISO 8601 time with its offset", _is_no_time()),
        ("received_at_absurd", "receivedAt lies before 2015 or in the future", _is_absurd_time(now)),
        ("user_id", "userId is neither null nor a UUID", _is_wrong_user_id()),
        ("anonymous_id", f"anonymousId is {printable}", _is_wrong("anonymousId", "anonymous_id")),
        ("no_id", "neither userId nor anonymousId is there", "user_id IS NULL AND anonymous_id IS NULL"),
        ("structure", "properties, traits or context is no object", _is_no_object("properties", "traits", "context")),
    ]


def _has_double_names() -> str:
    """Of two values under one name, readers differ on which counts: consent must not hang on that.

    The objects of most events have no name in common: then one look at all names, which is the dear part, is enough.
    """
    places = range(1, len(OBJECTS) + 1)
    each = " OR ".join(f"coalesce(len(names[{place}]) <> list_unique(names[{place}]), false)" for place in places)
    return f"CASE WHEN len(flatten(names)) = list_unique(flatten(names)) THEN false ELSE {each} END"


def _is_wrong_type() -> str:
    types = ", ".join(f"'{name}'" for name in TYPES)
    return f"{_json_type('type')} <> 'VARCHAR' OR type NOT IN ({types})"


def _is_wrong_event() -> str:
    return f"{_is_wrong('event', 'event')} OR (type = 'track' AND event IS NULL)"


def _is_no_time() -> str:
    return f"{_json_type('receivedAt')} <> 'VARCHAR' OR received_at IS NULL"


def _is_absurd_time(now: datetime) -> str:
    latest = (now + MAX_AHEAD).astimezone(UTC)
    return f"received_at < '{EARLIEST.isoformat()}' OR received_at > '{latest.isoformat()}'"


def _is_wrong_user_id() -> str:
    is_uuid = f"({_json_type('userId')} = 'VARCHAR' AND regexp_full_match(user_id, '{UUID}'))"
    return f"NOT ({_is_absent('userId')} OR coalesce({is_uuid}, FALSE))"


def _is_no_object(*fields: str) -> str:
    return " OR ".join(f"{_json_type(field)} NOT IN ('OBJECT', 'NULL')" for field in fields)


def _is_wrong(field: str, column: str) -> str:
    return f"NOT ({_is_absent(field)} OR {_is_id(field, column)})"


def _is_id(field: str, column: str) -> str:
    printable = rf"length({column}) BETWEEN 1 AND {MAX_ID_LENGTH} AND NOT regexp_matches({column}, '\p{{Cc}}')"
    return f"({_json_type(field)} = 'VARCHAR' AND coalesce({printable}, FALSE))"


def _is_absent(field: str) -> str:
    """Not there, null, or empty, as some client libraries write what is not there."""
    return f"({_json_type(field)} = 'NULL' OR ({_json_type(field)} = 'VARCHAR' AND {_text('$.' + field)} = ''))"


def _json_type(field: str) -> str:
    """'NULL' for what is not there as well."""
    return f"coalesce({_type('$.' + field)}, 'NULL')"


def _is_true(preference: str) -> str:
    path = f"$.context.consent.categoryPreferences.{preference}"
    return f"coalesce({_type(path)} = 'BOOLEAN' AND {_text(path)} = 'true', false)"


def _text(path: str) -> str:
    return f"texts[{TEXTS.index(path) + 1}]"


def _type(path: str) -> str:
    return f"types[{FIELDS.index(path) + 1}]"


def _paths(paths: tuple[str, ...]) -> str:
    return f"[{_quoted(paths)}]"
