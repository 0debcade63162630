"""Every way in which an identifier may stand in a file, as bytes.

Patterns are folded with `bytes.lower`, and so is what is searched: ASCII letters match in any case. Letters beyond
ASCII are there as given, small and capital, composed (NFC) and decomposed (NFD).
"""

import base64
import ipaddress
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from unicodedata import normalize
from urllib.parse import quote, quote_plus

from pseudonymisation.scan.identifiers import Identifier

TEXT = "UTF-8"
NUMBER = "number"
"""Only as the whole value of a numeric column, where a leading zero is lost."""

_SMALLEST_INTEGER = 2**32
"""Below, eight bytes are half zeros; as four bytes alone, any value stands in 60 MB of ciphertext by accident."""

_WRITTEN_NUMBER = re.compile(r"\+?\d[\d ]{6,}\d|\d{4}\.\d{2}\.\d{5}")
_NO_LETTERS = re.compile(r"[\d .:+/-]+")
_GROUPS = {8: ((3, 2, 3), (2, 2, 2, 2)), 11: ((6, 5), (4, 2, 5))}
_COUNTRY = "47"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pattern:
    """`content` is folded; `exact`, where not None, is what must stand there to the letter. `is_number`: no letters."""

    line: int
    encoding: str
    content: bytes
    exact: bytes | None = None
    is_number: bool = False


def patterns_of(identifier: Identifier) -> Iterator[Pattern]:
    """All patterns of one identifier, each once."""
    seen: set[bytes] = set()
    for encoding, content, is_exact in _forms(identifier.text):
        folded = content.lower()
        same = content if is_exact else folded
        if same in seen:
            continue
        seen.add(same)
        yield Pattern(
            line=identifier.line,
            encoding=encoding,
            content=folded,
            exact=content if is_exact else None,
            is_number=encoding in (TEXT, NUMBER)
            and _NO_LETTERS.fullmatch(content.decode(errors="replace")) is not None,
        )


def _forms(text: str) -> Iterator[tuple[str, bytes, bool]]:
    cases = (text, text.lower(), text.upper())
    for one in sorted({*(normalize("NFC", case) for case in cases), *(normalize("NFD", case) for case in cases)}):
        yield from _as_text(one)
        yield from _as_base64(one.encode())
        yield "hex", one.encode().hex().encode(), False
    if _WRITTEN_NUMBER.fullmatch(text) and not _is_address(text):
        yield from _as_number(text)
    yield from _as_uuid(text)


def _as_text(text: str) -> Iterator[tuple[str, bytes, bool]]:
    yield TEXT, text.encode(), False
    yield "UTF-16LE", text.encode("utf-16-le"), False
    yield "UTF-16BE", text.encode("utf-16-be"), False
    yield "JSON escapes", json.dumps(text)[1:-1].encode(), False
    yield "percent-encoded", quote(text, safe="").encode(), False
    yield "percent-encoded", quote_plus(text).encode(), False
    if not text.isascii() and max(map(ord, text)) < 256:
        yield "Latin-1", text.encode("latin-1"), False


def _as_base64(content: bytes) -> Iterator[tuple[str, bytes, bool]]:
    """For each of three positions in other content: the characters that depend on nothing but this content."""
    for before in range(3):
        first = (before * 8 + 5) // 6
        last = (before + len(content)) * 8 // 6
        whole = bytes(before) + content + bytes(2)
        for encode in (base64.standard_b64encode, base64.urlsafe_b64encode):
            yield "base64", encode(whole)[first:last], True


def _as_number(text: str) -> Iterator[tuple[str, bytes, bool]]:
    digits = re.sub(r"\D", "", text)
    local = digits.removeprefix(_COUNTRY) if len(digits) == 8 + len(_COUNTRY) else digits
    for one in {digits, local, _COUNTRY + local if len(local) == 8 else local}:
        yield TEXT, one.encode(), False
        yield NUMBER, one.lstrip("0").encode(), False
        if _SMALLEST_INTEGER <= int(one) < 2**63:
            yield "64-bit integer", int(one).to_bytes(8, "little"), True
            yield "64-bit integer, big-endian", int(one).to_bytes(8, "big"), True
        if _SMALLEST_INTEGER <= int(one) < 2**47:
            yield "48-bit integer of SQLite", int(one).to_bytes(6, "big"), True
    for lengths in _GROUPS.get(len(local), ()):
        starts = [sum(lengths[:place]) for place in range(len(lengths))]
        parts = [local[start : start + length] for start, length in zip(starts, lengths, strict=True)]
        for separator in (" ", "."):
            yield TEXT, separator.join(parts).encode(), False


def _as_uuid(text: str) -> Iterator[tuple[str, bytes, bool]]:
    try:
        value = uuid.UUID(text)
    except ValueError:
        return
    yield TEXT, str(value).encode(), False
    yield "UUID without dashes", value.hex.encode(), False
    yield "UUID bytes", value.bytes, True
    yield "UUID bytes, little-endian", value.bytes_le, True
    # DuckDB orders UUIDs as signed 128-bit integers: the first bit is flipped, and the lowest byte comes first.
    yield "UUID bytes as DuckDB has them", bytes((value.bytes[0] ^ 0x80, *value.bytes[1:]))[::-1], True
    yield from _as_base64(value.bytes)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
