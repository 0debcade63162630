"""When digits that look like an identifier are part of something else.

In binary content values stand side by side without anything between them, so there only what surely belongs to another
value is put aside; in text, and in numbers, what comes before and after decides.
"""

import re

from pseudonymisation.scan.patterns import NUMBER, Pattern
from pseudonymisation.scan.pieces import Form

LOOK_AROUND = 80
_LONG_NUMBER = 11
"""From so many digits on, a number inside a longer one is no accident."""

_RANDOM_LOOKING = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?=[0-9]*[a-f])[0-9a-f]{32,}"
)
_FRACTION = re.compile(rb"[0-9]\.[0-9]*$")
_AFTER_NUMBER = re.compile(rb"(?:\.0*)?(?:\n|$)")


def is_accident(content: bytes, start: int, end: int, pattern: Pattern, form: Form) -> bool:
    """Whether the pattern's bytes at `content[start:end]` are part of another value."""
    if form == "numbers":
        return not (pattern.is_number and _is_whole_number(content, start, end))
    if pattern.encoding == NUMBER:
        return True
    if not pattern.is_number:
        return False
    first = max(0, start - LOOK_AROUND)
    around = content[first : end + LOOK_AROUND].lower()
    before, after = content[max(0, start - 1) : start], content[end : end + 1]
    if before.isdigit() or after.isdigit():
        if form == "text" and _digit_count(pattern) < _LONG_NUMBER:
            return True
        if _FRACTION.search(content[first:start]):
            return True
    return any(
        match.start() <= start - first and match.end() >= end - first and match.end() - match.start() > end - start
        for match in _RANDOM_LOOKING.finditer(around)
    )


def _is_whole_number(content: bytes, start: int, end: int) -> bool:
    before = content[max(0, start - 1) : start]
    return before in (b"", b"\n", b"-", b"+") and _AFTER_NUMBER.match(content, end) is not None


def _digit_count(pattern: Pattern) -> int:
    return sum(48 <= byte <= 57 for byte in pattern.content)
