"""The identifiers that a scan looks for, one a line; an error names the line and never repeats what stands there."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from storage import LeiiError

SHORTEST = 6
SHORTEST_NUMBER = 8
"""Fewer digits stand in every timestamp and amount."""


@dataclass(frozen=True, kw_only=True)
class Identifier:
    """What to look for, and the line (from 1) by which every report names it."""

    line: int
    text: str = field(repr=False)


def read_identifiers(source: Path | BinaryIO) -> list[Identifier]:
    """Identifiers from a UTF-8 file. Raises LeiiError if it cannot be read or a line cannot be searched for."""
    try:
        content = source.read_bytes() if isinstance(source, Path) else source.read()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise LeiiError(f"the identifiers cannot be read: {error.strerror} ({source})") from None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise LeiiError(f"the identifiers must be UTF-8 text: line {line} is not") from None
    return identifiers_of(text.split("\n"))


def identifiers_of(lines: Iterable[str]) -> list[Identifier]:
    """Identifiers from lines: empty ones and `#` comments are skipped, one that stood before is left out.

    Raises LeiiError for lines too short or too simple to be found other than by accident, and when nothing is left.
    """
    found: dict[str, Identifier] = {}
    refused: list[str] = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        reason = _why_not(text)
        if reason:
            refused.append(f"- line {number}: {reason}")
        same = unicodedata.normalize("NFC", text).casefold()
        found.setdefault(same, Identifier(line=number, text=text))
    if refused:
        raise LeiiError("nothing was searched, because these would be found by accident:\n" + "\n".join(refused))
    if not found:
        raise LeiiError("there is no identifier to look for: give one a line")
    return list(found.values())


def _why_not(text: str) -> str | None:
    if len(text) < SHORTEST:
        return f"shorter than {SHORTEST} characters"
    if text.isdigit() and len(text) < SHORTEST_NUMBER:
        return f"a number of fewer than {SHORTEST_NUMBER} digits"
    if len(set(text.casefold())) == 1:
        return "one character, repeated"
    return None
