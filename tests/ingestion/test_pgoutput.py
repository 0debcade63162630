import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.pgoutput import Begin, Commit, Delete, Insert, Relation, RelationColumn, Truncate, Unsent, Update, decode
from storage import LeiiError


def row(*values: bytes | str | None) -> bytes:
    """A row as it is sent; a text stands for itself, bytes for a mark without a value."""
    parts = [struct.pack(">H", len(values))]
    for value in values:
        if value is None:
            parts.append(b"n")
        elif isinstance(value, bytes):
            parts.append(value)
        else:
            content = value.encode()
            parts.append(b"t" + struct.pack(">I", len(content)) + content)
    return b"".join(parts)


RELATION = (
    b"R" + struct.pack(">I", 7) + b"app\0login\0d" + struct.pack(">H", 2)
    + b"\1login_id\0" + struct.pack(">Ii", 20, -1) + b"\0ip\0" + struct.pack(">Ii", 869, -1)
)  # fmt: skip
MESSAGES = {
    b"B" + struct.pack(">QqI", 500, 0, 9): Begin(commit_lsn=500),
    b"C" + struct.pack(">BQQq", 0, 500, 520, 0): Commit(commit_lsn=500, end_lsn=520),
    RELATION: Relation(
        oid=7,
        schema="app",
        name="login",
        identity="d",
        columns=(
            RelationColumn(name="login_id", is_key=True, type_oid=20, typmod=-1),
            RelationColumn(name="ip", is_key=False, type_oid=869, typmod=-1),
        ),
    ),
    b"I" + struct.pack(">I", 7) + b"N" + row("1", "blåbær"): Insert(relation_oid=7, new=("1", "blåbær")),
    b"U" + struct.pack(">I", 7) + b"N" + row("1", b"u"): Update(
        relation_oid=7, old=None, is_old_whole=False, new=("1", Unsent.UNCHANGED)
    ),
    b"U" + struct.pack(">I", 7) + b"K" + row("1", None) + b"N" + row("2", ""): Update(
        relation_oid=7, old=("1", None), is_old_whole=False, new=("2", "")
    ),
    b"U" + struct.pack(">I", 7) + b"O" + row("1", "x") + b"N" + row("1", None): Update(
        relation_oid=7, old=("1", "x"), is_old_whole=True, new=("1", None)
    ),
    b"D" + struct.pack(">I", 7) + b"K" + row("1", None): Delete(relation_oid=7, old=("1", None)),
    b"T" + struct.pack(">IBII", 2, 1, 7, 8): Truncate(relation_oids=(7, 8)),
    b"O" + struct.pack(">Q", 1) + b"elsewhere\0": None,
}


@pytest.mark.parametrize(("message", "meaning"), MESSAGES.items(), ids=lambda value: type(value).__name__)
def test_every_kind_of_message_is_read(message: bytes, meaning: object) -> None:
    assert decode(message) == meaning


@settings(max_examples=500)
@given(st.sampled_from(sorted(MESSAGES)), st.data())
def test_a_broken_message_is_refused_or_read_and_never_crashes(message: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(message) - 1))
    broken = data.draw(st.sampled_from([message[:at], message[:at] + b"\xff" + message[at + 1 :], message + b"\0"]))
    with suppress(LeiiError):
        decode(broken)


@given(st.sampled_from([message for message in sorted(MESSAGES) if message[:1] != b"O"]), st.data())
def test_a_message_that_is_cut_off_is_refused(message: bytes, data: st.DataObject) -> None:
    with pytest.raises(LeiiError):
        decode(message[: data.draw(st.integers(0, len(message) - 1))])
