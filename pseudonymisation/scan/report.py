"""What a scan found and what it could not read. No value, and no part of one, is in it."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from pseudonymisation.scan.pieces import UNESCAPED
from pseudonymisation.scan.search import Match


@dataclass(frozen=True, kw_only=True, order=True)
class Finding:
    """The identifier of one line, `count` times in one place of one file, in one encoding.

    `file` is relative to LEII_HOME; `place` is a table and column, "raw bytes", "statistics", "view text" or the like.
    """

    file: str
    place: str
    encoding: str
    line: int
    count: int


@dataclass(frozen=True, kw_only=True, order=True)
class Unread:
    """A file that could not be read in full."""

    file: str
    reason: str


@dataclass(frozen=True, kw_only=True, order=True)
class Uncompacted:
    """A file in which deleted rows may still be: what of them is compressed could not be searched."""

    file: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ScanReport:
    """`files_read`: those read in full. `kinds`: how many files of each kind. `left_out`: files that hold keys.

    `uncompacted` is what a file shows that is written every day. Whoever must know that nothing is left in deleted rows
    either makes compacted copies first, and then wants this to be empty too.
    """

    findings: tuple[Finding, ...]
    unread: tuple[Unread, ...]
    uncompacted: tuple[Uncompacted, ...]
    files_read: int
    bytes_searched: int
    identifiers: int
    kinds: Mapping[str, int]
    left_out: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Every file was read and nothing was found."""
        return not self.findings and not self.unread

    def as_json(self) -> dict[str, Any]:
        return {"is_clean": self.is_clean, **asdict(self)}


def findings_of(matches: Counter[Match], redact: Callable[[str], str]) -> tuple[Finding, ...]:
    """Matches as findings; what was found in a text as it stands is not told again for the text without escapes."""
    redact = cache(redact)
    as_it_stands = {(match.file, match.place, match.line) for match in matches}
    return tuple(
        sorted(
            Finding(
                file=redact(match.file),
                place=redact(match.place),
                encoding=match.encoding,
                line=match.line,
                count=count,
            )
            for match, count in matches.items()
            if not match.place.endswith(UNESCAPED)
            or (match.file, match.place.removesuffix(UNESCAPED), match.line) not in as_it_stands
        )
    )
