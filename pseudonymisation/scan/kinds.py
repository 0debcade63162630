"""The kinds of files that LEII_HOME may hold, told by their content, and by name only where the content does not tell.

Every file is searched as raw bytes, whatever its kind; `read` is what decodes it besides. A file of no kind that is
listed here is unknown, and a scan that met one is not clean.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import TypeAlias

from pseudonymisation.scan.formats import arrow_file, duckdb_file, packed, parquet_file, sqlite_file, texts
from pseudonymisation.scan.formats.source import Content, Source
from pseudonymisation.scan.pieces import Found, Gap

Decoder: TypeAlias = Callable[[Source], Iterator[Found]]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """`read` is None where the raw bytes are all there is to read."""

    name: str
    is_here: Callable[[Content, PurePath], bool]
    read: Decoder | None = None
    is_text: bool = False


def kind_of(content: Content, name: PurePath) -> Kind:
    """The first kind that fits; `UNKNOWN` if none does."""
    return next((kind for kind in KINDS if kind.is_here(content, name)), UNKNOWN)


def _begins(*magics: bytes, at: int = 0) -> Callable[[Content, PurePath], bool]:
    return lambda content, name: any(content[at : at + len(magic)] == magic for magic in magics)


def _ends(*endings: str) -> Callable[[Content, PurePath], bool]:
    return lambda content, name: name.name.endswith(endings)


def _unread(reason: str) -> Decoder:
    def read(source: Source) -> Iterator[Found]:
        yield Gap(reason=reason)

    return read


def _read_duckdb_log(source: Source) -> Iterator[Found]:
    """Its rows are read with the database, which DuckDB opens together with its log."""
    if source.path is None or not source.path.with_name(source.path.name.removesuffix(".wal")).exists():
        yield Gap(reason="a write-ahead log of DuckDB without its database")


EXTENSION = Kind(name="DuckDB extension", is_here=_ends(".duckdb_extension", ".duckdb_extension.info"))

KINDS: tuple[Kind, ...] = (
    Kind(name="empty", is_here=lambda content, name: not len(content), is_text=True),
    Kind(
        name="DuckDB spill",
        is_here=lambda content, name: name.name.startswith("duckdb_temp_"),
        read=_unread("left behind by a killed run, whose key is gone: remove it"),
    ),
    Kind(name="DuckDB write-ahead log", is_here=_ends(".wal"), read=_read_duckdb_log),
    EXTENSION,
    Kind(name="DuckDB", is_here=_begins(duckdb_file.MAGIC, at=duckdb_file.MAGIC_AT), read=duckdb_file.read_duckdb),
    Kind(name="SQLite", is_here=_begins(sqlite_file.MAGIC), read=sqlite_file.read_sqlite),
    Kind(name="SQLite write-ahead log", is_here=_begins(b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")),
    Kind(name="SQLite shared memory", is_here=_ends(".db-shm", ".sqlite-shm")),
    Kind(name="SQLite journal", is_here=_begins(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7")),
    Kind(name="Parquet", is_here=_begins(parquet_file.MAGIC), read=parquet_file.read_parquet),
    Kind(
        name="encrypted Parquet",
        is_here=_begins(parquet_file.ENCRYPTED_MAGIC),
        read=parquet_file.read_encrypted_parquet,
    ),
    Kind(
        name="Arrow",
        is_here=lambda content, name: arrow_file.is_arrow(content),
        read=arrow_file.read_arrow,
    ),
    Kind(name="packed", is_here=lambda content, name: packed.packing_of(content) is not None, read=packed.read_packed),
    Kind(name="UTF-16 text", is_here=_begins(*texts.UTF16_MARKS), read=texts.read_utf16),
    Kind(name="text", is_here=lambda content, name: texts.is_utf8(content), read=texts.read_text, is_text=True),
    Kind(name="MessagePack", is_here=_ends(".msgpack")),
    Kind(name="pickle", is_here=_begins(b"\x80\x04", b"\x80\x05")),
)

UNKNOWN = Kind(
    name="unknown",
    is_here=lambda content, name: True,
    read=_unread("an unknown kind of file: only its raw bytes were searched"),
)
