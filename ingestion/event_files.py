"""Event files: which are new, and their lines as Arrow, streamed in flat memory however large or broken a file is."""

import hashlib
import hmac
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

import fsspec
import numpy as np
import pyarrow as pa
from fsspec.core import url_to_fs

from storage import LeiiError, Workspace

NAME = re.compile(r"dt=\d{4}-\d{2}-\d{2}/[^./][^/]*\.jsonl\.gz")
READ_BYTES = 1 << 18
BLOCK_BYTES = 4 << 20
# What is read of a line without an end before the rest of it is passed over; longer than any line that is accepted.
LINE_BYTES = 1 << 17
NEWLINE = 10
TO_FIND_DAMAGE_BYTES = 64


@dataclass(frozen=True, kw_only=True)
class EventFile:
    """One file as it was listed. `name` is relative to the root; `version` changes whenever the file does."""

    name: str
    path: str
    version: str
    manifest_id: str


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Consecutive lines of one file, as bytes; the first has this number (from 1)."""

    first_line: int
    content: pa.BinaryArray


@dataclass(frozen=True, kw_only=True)
class Damage:
    """Where a file could not be read any further, and what was left of the line that was cut."""

    line: int
    reason_code: str
    rest: bytes


def new_event_files(
    workspace: Workspace, root: str, seen: Mapping[str, str]
) -> tuple[fsspec.AbstractFileSystem, list[EventFile]]:
    """The files under `<root>/dt=YYYY-MM-DD/` that are not in the manifest, or have changed since, in order of name.

    The manifest knows a file by a keyed hash of its name, because others name the files. Raises LeiiError when the root
    is not there or its kind of store is not installed.
    """
    try:
        store, folder = url_to_fs(root)
    except (ImportError, ValueError):
        scheme = root.split("://", maxsplit=1)[0]
        raise LeiiError(
            f"LEII_EVENTS_ROOT is of a kind that cannot be read ({scheme}://): install fsspec's driver for it"
        ) from None
    store.invalidate_cache()  # a store that lives as long as its process would not show new files
    if not store.isdir(folder):
        raise LeiiError("LEII_EVENTS_ROOT is not a folder: set it to the one that holds dt=YYYY-MM-DD/")
    key = workspace.keyring.zone_key("landing", "manifest")
    found = (_event_file(path, folder, details, key) for path, details in store.find(folder, detail=True).items())
    files = [file for file in found if file is not None and seen.get(file.manifest_id) != file.version]
    return store, sorted(files, key=lambda file: file.name)


def read_lines(stream: IO[bytes]) -> Iterator[Lines | Damage]:
    """The lines of a gzipped file. A cut or damaged file gives its good lines, and then one Damage."""
    rest, line, is_passing_over = b"", 1, False
    for block in _decompressed(stream):
        if isinstance(block, str):
            yield Damage(line=line, reason_code=block, rest=rest[:LINE_BYTES])
            return
        content = rest + block
        end = content.rfind(b"\n") + 1
        if end == 0 and is_passing_over:
            continue
        if is_passing_over:  # the end of a line of which the beginning was kept
            tail = block.find(b"\n")
            content = rest + block[tail:]
            end = content.rfind(b"\n") + 1
        if end:
            lines = _split(content[:end])
            yield Lines(first_line=line, content=lines)
            line += len(lines)
        rest, is_passing_over = content[end:], False
        if len(rest) > LINE_BYTES:
            rest, is_passing_over = rest[:LINE_BYTES], True
    if rest:
        yield Lines(first_line=line, content=pa.array([rest], pa.binary()))


def _event_file(path: str, folder: str, details: Mapping[str, Any], key: bytes) -> EventFile | None:
    name = path[len(folder) :].lstrip("/")
    if not NAME.fullmatch(name) or details.get("type") == "directory":
        return None
    marks = [details.get("size"), *(details.get(mark) for mark in ("ETag", "etag", "md5Hash", "mtime", "LastModified"))]
    manifest_id = hmac.new(key, name.encode(), hashlib.sha256).hexdigest()[:32]
    return EventFile(
        name=name, path=path, version="|".join(str(mark) for mark in marks if mark), manifest_id=manifest_id
    )


def _decompressed(stream: IO[bytes]) -> Iterator[bytes | str]:
    """Blocks of bounded size; a text in place of a block is the code of what is wrong, and the last."""
    decoder = zlib.decompressobj(wbits=31)
    has_begun = False
    while data := stream.read(READ_BYTES):
        while data:
            if decoder.eof:  # another gzip member follows, or padding
                data = data.lstrip(b"\0")
                if not data:
                    break
                decoder = zlib.decompressobj(wbits=31)
            has_begun = True
            before = decoder.copy()
            try:
                block = decoder.decompress(data, BLOCK_BYTES)
            except zlib.error:
                yield _until_damage(before, data)
                yield "damaged_file"
                return
            if block:
                yield block
            data = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
    if not decoder.eof:
        yield "truncated_file" if has_begun else "empty_file"


def _until_damage(decoder: Any, data: bytes) -> bytes:
    """What can be had of the data before the place where it is damaged."""
    good = bytearray()
    with suppress(zlib.error):
        for start in range(0, len(data), TO_FIND_DAMAGE_BYTES):
            good += decoder.decompress(data[start : start + TO_FIND_DAMAGE_BYTES])
    return bytes(good)


def _split(content: bytes) -> pa.BinaryArray:
    """Lines with their ends, without a Python object for each; `content` ends with a line's end."""
    ends = np.flatnonzero(np.frombuffer(content, dtype=np.uint8) == NEWLINE) + 1
    offsets = np.concatenate(([0], ends)).astype(np.int32)
    return pa.Array.from_buffers(pa.binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(content)])
