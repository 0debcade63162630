"""What PostgreSQL's logical replication says, as data: the messages of `pgoutput`, protocol version 1, values as text.

The formats are those of PostgreSQL's documentation, "Logical Replication Message Formats". A transaction's changes stand
between its Begin and its Commit, transactions in the order in which they committed, and a relation is described before
its first change and again whenever it may have changed.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from storage import LeiiError


class Unsent(Enum):
    """A value that the message leaves out: it is stored apart (TOAST) and the change did not touch it."""

    UNCHANGED = "unchanged"


Value: TypeAlias = "str | Unsent | None"
Values: TypeAlias = tuple[Value, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RelationColumn:
    """`is_key`: part of the replica identity. `type_oid` and `typmod` as in pg_attribute."""

    name: str
    is_key: bool
    type_oid: int
    typmod: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """A table as the changes that follow have it; `identity` is d (primary key), i (an index), f (all columns) or n."""

    oid: int
    schema: str
    name: str
    identity: str
    columns: tuple[RelationColumn, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Begin:
    commit_lsn: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Commit:
    """`commit_lsn` is where the commit's record begins in the WAL, `end_lsn` where it ends."""

    commit_lsn: int
    end_lsn: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Insert:
    relation_oid: int
    new: Values


@dataclass(frozen=True, kw_only=True, slots=True)
class Update:
    """`old` is there if the key changed (`is_old_whole` false: only the key's values, the others null) or the replica
    identity is all columns."""

    relation_oid: int
    old: Values | None
    is_old_whole: bool
    new: Values


@dataclass(frozen=True, kw_only=True, slots=True)
class Delete:
    """Of `old`, only the replica identity's values are there; the others are null."""

    relation_oid: int
    old: Values


@dataclass(frozen=True, kw_only=True, slots=True)
class Truncate:
    relation_oids: tuple[int, ...]


Message: TypeAlias = Begin | Commit | Relation | Insert | Update | Delete | Truncate

_IGNORED = b"OYM"  # origin, type, logical message: they change no row


def decode(message: bytes) -> Message | None:
    """One message; None for a kind that says nothing about rows. Raises LeiiError for what is no such message."""
    kind = message[:1]
    if kind and kind in _IGNORED:
        return None
    decoder = _DECODERS.get(kind)
    if decoder is None:
        raise LeiiError("the app database sent a replication message of an unknown kind: is its slot one of pgoutput?")
    try:
        decoded, end = decoder(message)
    except (struct.error, IndexError, ValueError):
        end, decoded = -1, None
    if decoded is None or end != len(message):
        raise LeiiError("the app database sent a replication message that is cut off or too long")
    return decoded


def _begin(message: bytes) -> tuple[Begin, int]:
    commit_lsn, _time, _xid = struct.unpack_from(">QqI", message, 1)
    return Begin(commit_lsn=commit_lsn), 21


def _commit(message: bytes) -> tuple[Commit, int]:
    _flags, commit_lsn, end_lsn, _time = struct.unpack_from(">BQQq", message, 1)
    return Commit(commit_lsn=commit_lsn, end_lsn=end_lsn), 26


def _relation(message: bytes) -> tuple[Relation, int]:
    (oid,) = struct.unpack_from(">I", message, 1)
    schema, at = _text(message, 5)  # pg_catalog is sent as an empty name
    name, at = _text(message, at)
    identity, count = struct.unpack_from(">cH", message, at)
    at += 3
    columns = []
    for _ in range(count):
        flags = message[at]
        column, at = _text(message, at + 1)
        type_oid, typmod = struct.unpack_from(">Ii", message, at)
        at += 8
        columns.append(RelationColumn(name=column, is_key=flags & 1 == 1, type_oid=type_oid, typmod=typmod))
    return Relation(oid=oid, schema=schema, name=name, identity=identity.decode(), columns=tuple(columns)), at


def _insert(message: bytes) -> tuple[Insert, int]:
    oid, marker = struct.unpack_from(">Ic", message, 1)
    _expect(marker, b"N")
    new, at = _values(message, 6)
    return Insert(relation_oid=oid, new=new), at


def _update(message: bytes) -> tuple[Update, int]:
    oid, marker = struct.unpack_from(">Ic", message, 1)
    old = None
    is_whole = marker == b"O"
    at = 6
    if marker in (b"K", b"O"):
        old, at = _values(message, at)
        marker = message[at : at + 1]
        at += 1
    _expect(marker, b"N")
    new, at = _values(message, at)
    return Update(relation_oid=oid, old=old, is_old_whole=is_whole, new=new), at


def _delete(message: bytes) -> tuple[Delete, int]:
    oid, marker = struct.unpack_from(">Ic", message, 1)
    _expect(marker, b"K", b"O")
    old, at = _values(message, 6)
    return Delete(relation_oid=oid, old=old), at


def _truncate(message: bytes) -> tuple[Truncate, int]:
    count, _options = struct.unpack_from(">IB", message, 1)
    return Truncate(relation_oids=struct.unpack_from(f">{count}I", message, 6)), 6 + 4 * count


def _values(message: bytes, at: int) -> tuple[Values, int]:
    """A row's values from position `at`, and the position after them."""
    (count,) = struct.unpack_from(">H", message, at)
    at += 2
    values: list[Value] = []
    for _ in range(count):
        kind = message[at]
        at += 1
        if kind == 0x74:  # t: text
            (length,) = struct.unpack_from(">I", message, at)
            at += 4
            values.append(message[at : at + length].decode())
            at += length
        elif kind == 0x6E:  # n: null
            values.append(None)
        elif kind == 0x75:  # u: unchanged
            values.append(Unsent.UNCHANGED)
        else:
            raise ValueError
    return tuple(values), at


def _text(message: bytes, at: int) -> tuple[str, int]:
    end = message.index(b"\0", at)
    return message[at:end].decode(), end + 1


def _expect(marker: bytes, *wanted: bytes) -> None:
    if marker not in wanted:
        raise ValueError


_DECODERS: dict[bytes, Callable[[bytes], tuple[Message, int]]] = {
    b"B": _begin,
    b"C": _commit,
    b"R": _relation,
    b"I": _insert,
    b"U": _update,
    b"D": _delete,
    b"T": _truncate,
}
