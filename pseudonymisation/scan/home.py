"""The scan of a LEII_HOME: every file, its name, its raw bytes, and what it decodes to."""

import mmap
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePath

import duckdb

from pseudonymisation.scan.formats.source import Content, Source
from pseudonymisation.scan.identifiers import Identifier
from pseudonymisation.scan.kinds import EXTENSION, UNKNOWN, Kind, kind_of
from pseudonymisation.scan.pieces import Found, Gap, Piece, Remains, unescaped
from pseudonymisation.scan.report import ScanReport, Uncompacted, Unread, findings_of
from pseudonymisation.scan.search import Searcher
from storage import LeiiError, Workspace
from storage.extensions import is_as_packaged

_SLICE = 1 << 24
_DEEPEST = 8

Progress = Callable[[int], None]


@dataclass(kw_only=True)
class _Scan:
    """What one scan gathers on its way."""

    workspace: Workspace
    searcher: Searcher
    connect: Callable[[], duckdb.DuckDBPyConnection]
    unread: set[Unread] = field(default_factory=set)
    uncompacted: set[Uncompacted] = field(default_factory=set)
    kinds: Counter[str] = field(default_factory=Counter)
    left_out: list[str] = field(default_factory=list)
    seen: set[Path] = field(default_factory=set)
    bytes_searched: int = 0


def scan_home(workspace: Workspace, identifiers: Sequence[Identifier], on_bytes: Progress | None = None) -> ScanReport:
    """Look for every identifier in everything under LEII_HOME but the keyring, which holds keys.

    Nobody may write there meanwhile: hold `storage.exclusive_run`. Pseudonyms and other keyed hashes of an identifier
    are not looked for: they are what the zones are made of, and worth nothing without keys and the vault's secrets.
    `on_bytes` is told the size of each file when it is done. Raises LeiiError when there is no LEII_HOME.
    """
    root = workspace.home.root
    if not root.is_dir():
        raise LeiiError(f"nothing is in {root}: set LEII_HOME to the folder that `leii run` fills")
    searcher = Searcher(identifiers)
    with ExitStack() as stack:
        connect = cache(lambda: stack.enter_context(workspace.connect()))
        scan = _Scan(workspace=workspace, searcher=searcher, connect=connect)
        for relative, path in _files(scan, root.resolve(), PurePath()):
            before = scan.bytes_searched
            _scan_file(scan, str(relative), path)
            if on_bytes is not None:
                on_bytes(scan.bytes_searched - before)
        searcher.finish()
    redact = searcher.redact
    unread = sorted(Unread(file=redact(one.file), reason=one.reason) for one in scan.unread)
    uncompacted = sorted(Uncompacted(file=redact(one.file), reason=one.reason) for one in scan.uncompacted)
    return ScanReport(
        findings=findings_of(searcher.matches, redact),
        unread=tuple(unread),
        uncompacted=tuple(uncompacted),
        files_read=sum(scan.kinds.values()) - len({one.file for one in scan.unread}),
        bytes_searched=scan.bytes_searched,
        identifiers=len(identifiers),
        kinds=dict(sorted(scan.kinds.items())),
        left_out=tuple(scan.left_out),
    )


def _files(scan: _Scan, folder: Path, relative: PurePath) -> Iterator[tuple[PurePath, Path]]:
    """Every file once, by the name under which it is met first; names are searched on the way."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: (entry.is_symlink(), entry.name))
    except OSError as error:
        scan.unread.add(Unread(file=str(relative), reason=f"the folder cannot be listed ({error.strerror})"))
        return
    for entry in entries:
        name = relative / entry.name
        _search_name(scan, name, entry)
        real = Path(os.path.realpath(entry.path))
        if real in scan.seen or (entry.is_symlink() and not real.exists()):
            continue
        if entry.is_symlink() and real.is_relative_to(scan.workspace.home.root.resolve()):
            continue
        scan.seen.add(real)
        if real == Path(os.path.realpath(scan.workspace.home.default_keyring_file)):
            scan.left_out.append(str(name))
        elif real.is_dir():
            yield from _files(scan, real, name)
        else:
            yield name, real


def _search_name(scan: _Scan, name: PurePath, entry: "os.DirEntry[str]") -> None:
    _add(scan, str(name), Piece(place="its name", content=os.fsencode(entry.name), form="text"))
    if entry.is_symlink():
        target = os.fsencode(Path(entry.path).readlink())
        _add(scan, str(name), Piece(place="where the link leads", content=target, form="text"))


def _scan_file(scan: _Scan, file: str, path: Path) -> None:
    try:
        with _mapped(path) as content:
            kind = kind_of(content, path)
            scan.kinds[kind.name] += 1
            scan.bytes_searched += len(content)
            if kind is EXTENSION and is_as_packaged(path):
                return  # in megabytes of code any number may stand by accident
            _scan_content(scan, file, kind, content, path)
    except OSError as error:
        scan.kinds[UNKNOWN.name] += 1
        scan.unread.add(Unread(file=file, reason=f"it cannot be opened ({error.strerror})"))


@contextmanager
def _mapped(path: Path) -> Iterator[Content]:
    if not path.is_file():
        raise OSError(0, "neither a file nor a folder")
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            yield b""
            return
        # Not closed here: decoders may hold on to parts of it, and the last of them lets go of it.
        yield mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _scan_content(
    scan: _Scan, file: str, kind: Kind, content: Content, path: Path | None, within: tuple[str, ...] = ()
) -> None:
    """Raw bytes, then what the kind's decoder gives; `within` is the places of the packed files around it."""
    for piece in _raw_pieces(content, kind, scan.searcher.overlap):
        _add(scan, file, piece, within)
    if kind.read is None:
        return
    source = Source(content=content, path=path, keyring=scan.workspace.keyring, connect=scan.connect)
    try:
        for found in kind.read(source):
            _take(scan, file, found, within)
    except Exception as error:  # whatever a decoder raises, and it may raise anything, the file is not read
        reason = f"as {kind.name} it is damaged ({type(error).__name__}): only its raw bytes were searched"
        scan.unread.add(Unread(file=file, reason=reason))


def _take(scan: _Scan, file: str, found: Found, within: tuple[str, ...]) -> None:
    if isinstance(found, Gap):
        scan.unread.add(Unread(file=file, reason=found.reason))
    elif isinstance(found, Remains):
        scan.uncompacted.add(Uncompacted(file=file, reason=found.reason))
    elif isinstance(found, Piece):
        _add(scan, file, found, within)
        if found.form == "text":
            for piece in unescaped(found):
                _add(scan, file, piece, within)
    elif len(within) >= _DEEPEST:
        scan.unread.add(Unread(file=file, reason=f"files inside files more than {_DEEPEST} deep"))
    else:
        name = PurePath(found.place)
        kind = kind_of(found.content, name)
        _scan_content(scan, file, kind, found.content, None, (*within, found.place))


def _raw_pieces(content: Content, kind: Kind, overlap: int) -> Iterator[Piece]:
    for start in range(0, len(content), _SLICE):
        first, last = max(0, start - overlap), min(start + _SLICE, len(content))
        yield Piece(
            place="text" if kind.is_text else "raw bytes",
            content=content[first : last + overlap],
            form="text" if kind.is_text else "binary",
            begin=start - first,
            end=last - first,
        )


def _add(scan: _Scan, file: str, piece: Piece, within: tuple[str, ...] = ()) -> None:
    if piece.content:
        place = ", ".join((*within, piece.place))
        scan.searcher.add(
            file, Piece(place=place, content=piece.content, form=piece.form, begin=piece.begin, end=piece.end)
        )
