"""The query of a request, read and checked as Stripe does: what is not known is refused, never ignored."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from demo.stripe_errors import invalid, unknown_parameter
from demo.stripe_resources import SHAPES, Endpoint

PAGE_DEFAULT, PAGE_MAX, EXPAND_DEPTH, EVENT_TYPES_MAX = 10, 100, 4, 20
RANGE_OPERATORS = ("gt", "gte", "lt", "lte")

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")

Values = dict[str, str]  # by what stands in the brackets: "" for the bare parameter, an operator, or an index
Path = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ListQuery:
    """A list request that has passed every check."""

    limit: int = PAGE_DEFAULT
    starting_after: str | None = None
    ending_before: str | None = None
    equals: Mapping[str, str] = field(default_factory=dict)
    event_types: tuple[str, ...] = ()
    ranges: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)  # inclusive, epoch seconds
    expand: tuple[Path, ...] = ()


def parse_list_query(endpoint: Endpoint, query: str) -> ListQuery:
    """Raises ApiError (400) for a parameter that the endpoint does not have, or with a value that it cannot take."""
    given = _grouped(query)
    allowed = {"limit", "starting_after", "ending_before", "expand", *endpoint.filters, *endpoint.ranges}
    _refuse_unknown(given, allowed, endpoint.unsupported)
    if "starting_after" in given and "ending_before" in given:
        raise invalid("You may only specify one of these parameters: starting_after, ending_before.")
    return ListQuery(
        limit=_limit(given),
        starting_after=_single(given, "starting_after"),
        ending_before=_single(given, "ending_before"),
        equals=_equals(endpoint, given),
        event_types=_event_types(given) if "types" in endpoint.filters else (),
        ranges={name: _range(name, given[name]) for name in endpoint.ranges if name in given},
        expand=_list_expand(endpoint, given),
    )


def parse_retrieve_query(types: tuple[str, ...], query: str) -> tuple[Path, ...]:
    """The paths to expand; a retrieve takes no other parameter."""
    given = _grouped(query)
    _refuse_unknown(given, {"expand"}, ())
    paths = _expand(given)
    for path in paths:
        _check_path(types, path, path)
    return paths


def _grouped(query: str) -> dict[str, Values]:
    given: dict[str, Values] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        match = _NAME.fullmatch(name)
        if match is None:
            raise unknown_parameter(name)
        brackets = match[2][1:-1].split("][") if match[2] else [""]
        if len(brackets) > 1:
            raise unknown_parameter(name)
        values = given.setdefault(match[1], {})
        values[brackets[0] if brackets[0] or not match[2] else f"+{len(values)}"] = value
    return given


def _refuse_unknown(given: Mapping[str, Values], allowed: set[str], unsupported: tuple[str, ...]) -> None:
    for name in given:
        if name in unsupported:
            raise invalid(f"The Stripe double does not know how to filter by {name}.", name)
        if name not in allowed:
            raise unknown_parameter(name)


def _single(given: Mapping[str, Values], name: str) -> str | None:
    values = given.get(name)
    if values is None:
        return None
    if set(values) != {""}:
        raise invalid(f"Invalid string: {name} takes one value", name)
    if not values[""]:
        raise invalid(f"You passed an empty string for '{name}'.", name, "parameter_invalid_empty")
    return values[""]


def _many(given: Mapping[str, Values], name: str) -> list[str]:
    values = given.get(name, {})
    if not all(key.isdecimal() or key.startswith("+") for key in values):
        raise invalid("Invalid array", name)
    return list(values.values())


def _integer(name: str, text: str) -> int:
    if not re.fullmatch(r"-?\d{1,18}", text):
        raise invalid(f"Invalid integer: {text}", name, "parameter_invalid_integer")
    return int(text)


def _limit(given: Mapping[str, Values]) -> int:
    text = _single(given, "limit")
    if text is None:
        return PAGE_DEFAULT
    limit = _integer("limit", text)
    if limit > PAGE_MAX:
        raise invalid(f"This value must be less than or equal to {PAGE_MAX}.", "limit", "parameter_invalid_integer")
    if limit < 1:
        raise invalid("This value must be greater than or equal to 1.", "limit", "parameter_invalid_integer")
    return limit


def _equals(endpoint: Endpoint, given: Mapping[str, Values]) -> dict[str, str]:
    if "types" in endpoint.filters:
        return {}
    values = {name: _single(given, name) for name in endpoint.filters}
    return {name: value for name, value in values.items() if value is not None}


def _event_types(given: Mapping[str, Values]) -> tuple[str, ...]:
    one, several = _single(given, "type"), _many(given, "types")
    if one is not None and several:
        raise invalid("You may only specify one of these parameters: type, types.")
    if len(several) > EVENT_TYPES_MAX:
        raise invalid(f"You may only specify up to {EVENT_TYPES_MAX} types.", "types")
    return (one,) if one is not None else tuple(several)


def _range(name: str, values: Values) -> tuple[int | None, int | None]:
    low: int | None = None
    high: int | None = None
    for operator, text in values.items():
        if operator and operator not in RANGE_OPERATORS:
            raise unknown_parameter(f"{name}[{operator}]")
        moment = _integer(f"{name}[{operator}]" if operator else name, text)
        if operator in ("", "gt", "gte"):
            bound = moment + (operator == "gt")
            low = bound if low is None else max(low, bound)
        if operator in ("", "lt", "lte"):
            bound = moment - (operator == "lt")
            high = bound if high is None else min(high, bound)
    return low, high


def _expand(given: Mapping[str, Values]) -> tuple[Path, ...]:
    paths = tuple(tuple(text.split(".")) for text in _many(given, "expand"))
    for path in paths:
        if len(path) > EXPAND_DEPTH + (path[0] == "data"):
            raise invalid(f"You cannot expand more than {EXPAND_DEPTH} levels of a property.", "expand")
    return paths


def _list_expand(endpoint: Endpoint, given: Mapping[str, Values]) -> tuple[Path, ...]:
    """The paths below `data`, in which the objects of a list stand."""
    paths = _expand(given)
    for path in paths:
        name = ".".join(path)
        if path[0] != "data":
            hint = f" You may want to try expanding 'data.{name}' instead."
            raise invalid(f"This property cannot be expanded ({name}).{hint}", "expand")
        _check_path(endpoint.types, path[1:], path)
    return tuple(path[1:] for path in paths if len(path) > 1)


def _check_path(types: tuple[str, ...], path: Path, whole: Path) -> None:
    """Follow a path through the shapes of the types it can meet; at least one of them must know each step."""
    while path:
        step = next(
            (
                (targets, path[length:])
                for length in range(len(path), 0, -1)
                if (targets := _targets(types, ".".join(path[:length]))) is not None
            ),
            None,
        )
        if step is None:
            raise invalid(f"This property cannot be expanded ({'.'.join(whole)}).", "expand")
        types, path = step
        path = path[1:] if path[:1] == ("data",) else path


def _targets(types: tuple[str, ...], name: str) -> tuple[str, ...] | None:
    found: list[str] = []
    known = False
    for type_name in types:
        shape = SHAPES.get(type_name)
        for table in (shape.fields, shape.lists) if shape else ():
            known = known or name in table
            found.extend(table.get(name, ()))
    return tuple(found) if known else None
