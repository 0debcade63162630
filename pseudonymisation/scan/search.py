"""Many patterns in much content at once: Aho-Corasick, as Polars has it, over the first bytes of every pattern.

An automaton of whole patterns is built anew in each call and takes seconds for 100,000; one of their first bytes does
not, and what it finds is compared in full.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import polars as pl

from pseudonymisation.scan.accidents import LOOK_AROUND, is_accident
from pseudonymisation.scan.identifiers import Identifier
from pseudonymisation.scan.patterns import Pattern, patterns_of
from pseudonymisation.scan.pieces import Form, Piece

KEY_LENGTH = 12
ROW_LENGTH = 8_192
BATCH_BYTES = 48_000_000
PREFIX_LENGTH = 8
"""What DuckDB's statistics keep of a text."""

_Alike: TypeAlias = dict[int, dict[bytes, list[Pattern]]]
"""Patterns that begin with the same bytes, by their length and by all of their bytes."""


@dataclass(frozen=True, kw_only=True)
class Match:
    """Where a match was found (a file and a place in it), how it stood, and whose it is."""

    file: str
    place: str
    encoding: str
    line: int


class Searcher:
    """Collects pieces and searches them in batches; `matches` counts what was found, complete after `finish`."""

    def __init__(self, identifiers: Sequence[Identifier]) -> None:
        self._patterns: dict[bytes, _Alike] = {}
        for identifier in identifiers:
            for pattern in patterns_of(identifier):
                alike = self._patterns.setdefault(pattern.content[:KEY_LENGTH], {})
                alike.setdefault(len(pattern.content), {}).setdefault(pattern.content, []).append(pattern)
        self._keys = pl.Series([key.decode("latin-1") for key in self._patterns], dtype=pl.String).implode()
        self._key_lengths = sorted({len(key) for key in self._patterns})
        self._prefixes = _by_prefix(identifiers)
        self._waiting: list[tuple[str, Piece]] = []
        self._waiting_bytes = 0
        self.longest = max(length for alike in self._patterns.values() for length in alike)
        self.matches: Counter[Match] = Counter()

    def add(self, file: str, piece: Piece) -> None:
        """Search a piece, now or with others."""
        if piece.form == "prefixes":
            self._search_prefixes(file, piece)
            return
        self._waiting.append((file, piece))
        self._waiting_bytes += len(piece.content)
        if self._waiting_bytes >= BATCH_BYTES:
            self.finish()

    def finish(self) -> None:
        """Search what is waiting."""
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        rows, origins = _in_rows(waiting)
        if not rows:
            return
        series = pl.Series(rows, dtype=pl.String)
        hit = series.str.contains_any(self._keys).arg_true()
        found = series.gather(hit).str.extract_many(self._keys, overlapping=True)
        for row, keys in zip(hit.to_list(), found.to_list(), strict=True):
            origin = origins[row]
            for key in set(keys):
                self._compare(waiting[origin.piece], rows[row], origin, key)

    def spans(self, text: str) -> list[tuple[int, int, Pattern]]:
        """Matches in one short text, such as a file's name, as positions in its UTF-8 bytes."""
        content = text.encode("utf-8", "surrogateescape")
        folded = content.lower()
        found = []
        for start in range(len(folded)):
            for length in self._key_lengths:
                alike = self._patterns.get(folded[start : start + length], {})
                for end, pattern in _matches(content, start, alike, "text"):
                    found.append((start, end, pattern))
        return found

    def redact(self, text: str) -> str:
        """The text with every match replaced by the line of its identifier."""
        content, result, position = text.encode("utf-8", "surrogateescape"), "", 0
        for start, end, pattern in sorted(self.spans(text), key=lambda span: (span[0], -span[1])):
            if end > position:
                result += content[position : max(start, position)].decode(errors="replace")
                result += f"[line {pattern.line}]" if start >= position else ""
                position = end
        return result + content[position:].decode(errors="replace")

    def _compare(self, waiting: tuple[str, Piece], row: str, origin: "_Row", key: str) -> None:
        file, piece = waiting
        alike = self._patterns[key.encode("latin-1")]
        position = row.find(key)
        while 0 <= position < origin.length:
            start = origin.offset + position
            for _, pattern in _matches(piece.content, start, alike, piece.form):
                self.matches[Match(file=file, place=piece.place, encoding=pattern.encoding, line=pattern.line)] += 1
            position = row.find(key, position + 1)

    def _search_prefixes(self, file: str, piece: Piece) -> None:
        for prefix in piece.content.split(b"\n"):
            for line in self._prefixes.get(prefix.lower(), ()):
                self.matches[Match(file=file, place=piece.place, encoding="its first 8 bytes", line=line)] += 1

    @property
    def overlap(self) -> int:
        """How much of what comes next a part of a file must have with it, so that no match is cut."""
        return self.longest + LOOK_AROUND


def _matches(content: bytes, start: int, alike: _Alike, form: Form) -> Iterator[tuple[int, Pattern]]:
    """Which of the patterns that begin alike stand at this place in full, and where each ends."""
    for length, by_content in alike.items():
        there = content[start : start + length]
        for pattern in by_content.get(there.lower(), ()):
            is_exact = pattern.exact is None or pattern.exact == there
            if is_exact and not is_accident(content, start, start + length, pattern, form):
                yield start + length, pattern


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """From which piece a row is, and which of its bytes belong to it: what follows them is the start of the next."""

    piece: int
    offset: int
    length: int


def _in_rows(waiting: Sequence[tuple[str, Piece]]) -> tuple[list[str], list[_Row]]:
    """Short rows of folded content, a byte a character, and where they are from."""
    rows, origins = [], []
    for number, (_, piece) in enumerate(waiting):
        end = len(piece.content) if piece.end is None else piece.end
        folded = piece.content[piece.begin : end + KEY_LENGTH].lower().decode("latin-1")
        for start in range(0, end - piece.begin, ROW_LENGTH):
            length = min(ROW_LENGTH, end - piece.begin - start)
            rows.append(folded[start : start + length + KEY_LENGTH - 1])
            origins.append(_Row(piece=number, offset=piece.begin + start, length=length))
    return rows, origins


def _by_prefix(identifiers: Sequence[Identifier]) -> dict[bytes, list[int]]:
    found: dict[bytes, list[int]] = {}
    for identifier in identifiers:
        content = identifier.text.encode()
        if len(content) > PREFIX_LENGTH:
            found.setdefault(content[:PREFIX_LENGTH].lower(), []).append(identifier.line)
    return found
