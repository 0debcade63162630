"""The lines of an event file as Arrow, streamed in flat memory however large or broken the file is."""

import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import pyarrow as pa

READ_BYTES = 1 << 18
BLOCK_BYTES = 4 << 20
# What is read of a line without an end before the rest of it is passed over; longer than any line that is accepted.
LINE_BYTES = 1 << 17
NEWLINE = 10
TO_FIND_DAMAGE_BYTES = 64


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
