"""An event reduced before it is stored anywhere (R4): only the fields that some purpose gets, each as coarse as all need.

An IP address becomes its network (/24, /48), a user agent its family and class of device, a URL or path its route, a
referrer its host, a position a tenth of a degree (about ten kilometres). Everything here is SQL text over a raw value;
null stays null, and what is not of the form becomes null.
"""

from collections.abc import Callable, Mapping, Sequence

ROUTE_LENGTH = 200
IDS_IN_A_ROUTE = "[^/]*[0-9@%][^/]*|[^/]{33,}"
"""What is no word of a route: whatever has a digit, an address or an escape in it, or is longer than any word."""


def network(ip: str) -> str:
    """The network of an address as an address with zeros: /24 of IPv4, /48 of IPv6, written as PostgreSQL writes it."""
    four = f"nullif(regexp_extract({ip}, '^(?i:::ffff:)?((?:[0-9]{{1,3}}[.]){{3}})[0-9]{{1,3}}$', 1), '') || '0'"
    # Before the first "::" stand the groups that are written out; those left out are zeros.
    groups = f"list_concat(list_filter(string_split(string_split(lower({ip}), '::')[1], ':'), g -> g <> ''), ['0', '0', '0'])[1:3]"
    six = f"array_to_string(list_transform({groups}, g -> coalesce(nullif(ltrim(g, '0'), ''), '0')), ':') || '::'"
    return f"coalesce({four}, CASE WHEN regexp_full_match({ip}, '[0-9A-Fa-f:]+') AND {ip} LIKE '%:%:%' THEN {six} END)"


def agent(user_agent: str) -> str:
    """Family and class of device in words that browsers use, so that whoever reads user agents reads the same from it."""
    family = _first_found(
        user_agent,
        {"edg/": "Edg/", "firefox": "Firefox", "chrome": "Chrome", "safari": "Safari", "leii": "Leii"},
        "Other",
    )
    device = _first_found(
        user_agent,
        {"ipad": "Tablet", "tablet": "Tablet", "mobi": "Mobile", "iphone": "Mobile", "android": "Mobile"},
        "Computer",
    )
    return f"CASE WHEN {user_agent} IS NOT NULL THEN {family} || ' ' || {device} END"


def route(url: str) -> str:
    """The path without host, query and fragment, whatever looks like an id in it as `:id`."""
    path = f"regexp_replace(regexp_replace({url}, '^[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#]*', ''), '[?#].*$', '')"
    segment = f"CASE WHEN regexp_full_match(part, '{IDS_IN_A_ROUTE}') THEN ':id' ELSE part END"
    parts = f"list_transform(string_split(ltrim({path}, '/'), '/'), part -> {segment})"
    return f"left('/' || array_to_string({parts}, '/'), {ROUTE_LENGTH})"


def host(url: str) -> str:
    """The host alone."""
    return f"nullif(lower(regexp_extract({url}, '^[a-zA-Z][a-zA-Z0-9+.-]*://(?:[^/?#@]*@)?([^/?#:@]+)', 1)), '')"


def tenth(degrees: str) -> str:
    """A latitude or longitude to a tenth of a degree."""
    return f"CAST(round(TRY_CAST({degrees} AS DOUBLE), 1) AS VARCHAR)"


COARSENED: Mapping[str, Callable[[str], str]] = {
    "context.ip": network,
    "context.userAgent": agent,
    "context.page.path": route,
    "context.page.url": route,
    "context.page.referrer": host,
    "context.location.latitude": tenth,
    "context.location.longitude": tenth,
}


def payload_sql(envelope: Mapping[str, str], paths: Sequence[str], value: Callable[[str], str]) -> str:
    """SQL for a JSON text of an event with these fields, nested as they were; nulls are left out.

    `envelope` gives SQL for the fields that every event has, `value(path)` for one of the others as JSON.
    """
    # Merging into an empty object drops the fields that are null.
    return f"json_merge_patch('{{}}', {_object({**envelope, **{path: value(path) for path in paths}})})::VARCHAR"


def _object(leaves: Mapping[str, str]) -> str:
    """`json_object(...)` of the leaves, by dotted path."""
    inner: dict[str, dict[str, str]] = {}
    parts: list[str] = []
    for path, sql in leaves.items():
        name, _, rest = path.partition(".")
        if rest:
            inner.setdefault(name, {})[rest] = sql
        else:
            parts.append(f"'{name}', {sql}")
    parts += [f"'{name}', {_object(below)}" for name, below in inner.items()]
    return f"json_object({', '.join(parts)})"


def _first_found(text: str, words: Mapping[str, str], otherwise: str) -> str:
    cases = " ".join(f"WHEN contains(lower({text}), '{sign}') THEN '{word}'" for sign, word in words.items())
    return f"(CASE {cases} ELSE '{otherwise}' END)"
