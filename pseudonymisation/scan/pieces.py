"""What a decoder hands over: readable content with its place, something packed inside, or a gap that stays unread."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Form: TypeAlias = Literal["text", "binary", "numbers", "prefixes"]
"""text: values or lines; binary: anything; numbers: whole numbers, one a line; prefixes: the first bytes of texts, one a
line, as DuckDB's statistics keep them."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Content to be searched. A match counts here if it starts in `content[begin:end]`; the rest is its surroundings."""

    place: str
    content: bytes = field(repr=False)
    form: Form
    begin: int = 0
    end: int | None = None


@dataclass(frozen=True, kw_only=True)
class Inner:
    """A file within: decoded again as whatever it is."""

    place: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Something that could not be read, and why; holds nothing of the content."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Remains:
    """Deleted content that may still be there and was searched as raw bytes only, where compression hides what it is."""

    reason: str


Found: TypeAlias = Piece | Inner | Gap | Remains

UNESCAPED = ", unescaped"

_ESCAPE = re.compile(rb'\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(["\\/\']))')
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def unescaped(piece: Piece) -> Iterator[Piece]:
    """The piece again without the escapes of JSON, also of JSON inside JSON, if it has any."""
    content = piece.content
    for _ in range(3):
        if b"\\" not in content:
            break
        plain = _ESCAPE.sub(_unescape, content)
        if plain == content:
            break
        content = plain
    if content is not piece.content:
        yield Piece(place=piece.place + UNESCAPED, content=_join_surrogates(content), form=piece.form)


def _unescape(match: re.Match[bytes]) -> bytes:
    unit, byte, character = match.groups()
    if unit:
        return chr(int(unit, 16)).encode("utf-8", "surrogatepass")
    return bytes((int(byte, 16),)) if byte else character


def _join_surrogates(content: bytes) -> bytes:
    if b"\xed" not in content:
        return content
    text = content.decode("utf-8", "surrogatepass") if _is_utf8(content) else ""
    joined = _SURROGATES.sub(lambda pair: pair.group().encode("utf-16-le", "surrogatepass").decode("utf-16-le"), text)
    return joined.encode("utf-8", "surrogatepass") if joined else content


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True
