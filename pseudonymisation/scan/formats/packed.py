"""Compressed streams and archives: what is inside is handed on, to be decoded as whatever it is."""

import bz2
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator

import pyarrow as pa

from pseudonymisation.scan.formats.source import Content, Source
from pseudonymisation.scan.pieces import Found, Gap, Inner, Piece

LARGEST = 1_000_000_000
"""Bytes that are unpacked into memory at most; what is larger stays unread."""

_MAGIC = {
    b"\x1f\x8b\x08": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"PK\x03\x04": "zip",
    b"x\x01": "zlib",
    b"x\x5e": "zlib",
    b"x\x9c": "zlib",
    b"x\xda": "zlib",
}
_TAR_MAGIC_AT = 257


def packing_of(content: Content) -> str | None:
    """The name of the compression or archive that the first bytes show."""
    head = content[:16]
    for magic, name in _MAGIC.items():
        if head.startswith(magic) and (name not in _CHECKS or _CHECKS[name](content)):
            return name
    return "tar" if content[_TAR_MAGIC_AT : _TAR_MAGIC_AT + 5] == b"ustar" else None


def is_packed(content: bytes) -> bool:
    return len(content) > 10 and packing_of(content) is not None


def read_packed(source: Source) -> Iterator[Found]:
    """The content of one stream, or the members of an archive."""
    packing = packing_of(source.content)
    if packing == "zip":
        yield from _read_zip(source.content[:])
    elif packing == "tar":
        yield from _read_tar(source.content[:])
    elif packing is not None:
        yield from _read_stream(packing, source.content[:])


def _read_stream(packing: str, content: bytes) -> Iterator[Found]:
    parts: list[bytes] = []
    size = 0
    try:
        for part in _STREAMS[packing](content):
            parts.append(part)
            size += len(part)
            if size > LARGEST:
                yield Gap(reason=f"{packing} content of more than {LARGEST:,} bytes")
                break
    except (OSError, EOFError, zlib.error, lzma.LZMAError, pa.ArrowException):
        yield Gap(reason=f"its {packing} stream is damaged or cut off")
    yield Inner(place=packing, content=b"".join(parts))


def _zlib_parts(window: int) -> Callable[[bytes], Iterator[bytes]]:
    def parts(content: bytes) -> Iterator[bytes]:
        """Also of several streams one after another; raises zlib.error for anything else behind them."""
        while content:
            stream = zlib.decompressobj(window)
            waiting = content
            while waiting and not stream.eof:
                yield stream.decompress(waiting, 1 << 22)
                waiting = stream.unconsumed_tail
            yield stream.flush()
            if not stream.eof:
                raise EOFError
            content = stream.unused_data.lstrip(b"\0")

    return parts


def _file_parts(opened: Callable[[io.BytesIO], io.BufferedIOBase]) -> Callable[[bytes], Iterator[bytes]]:
    def parts(content: bytes) -> Iterator[bytes]:
        with opened(io.BytesIO(content)) as stream:
            while part := stream.read(1 << 22):
                yield part

    return parts


def _arrow_parts(codec: str) -> Callable[[bytes], Iterator[bytes]]:
    def parts(content: bytes) -> Iterator[bytes]:
        with pa.CompressedInputStream(pa.BufferReader(content), codec) as stream:
            while part := stream.read(1 << 22):
                yield part

    return parts


_STREAMS: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "gzip": _zlib_parts(31),
    "zlib": _zlib_parts(15),
    "bzip2": _file_parts(bz2.BZ2File),
    "xz": _file_parts(lzma.LZMAFile),
    "zstd": _arrow_parts("zstd"),
    "lz4": _arrow_parts("lz4"),
}


def _read_zip(content: bytes) -> Iterator[Found]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [*archive.namelist(), archive.comment.decode(errors="replace")]
        yield Piece(place="zip, names inside", content="\n".join(names).encode(), form="text")
        for member in archive.infolist():
            if member.file_size > LARGEST or member.flag_bits & 1:
                yield Gap(reason="a member of the zip is encrypted or too large")
            else:
                yield Inner(place=f"zip!{member.filename}", content=archive.read(member))


def _read_tar(content: bytes) -> Iterator[Found]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = archive.getmembers()
        names = [text for member in members for text in (member.name, member.linkname)]
        yield Piece(place="tar, names inside", content="\n".join(names).encode(), form="text")
        for member in members:
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None:
                yield Inner(place=f"tar!{member.name}", content=file.read())


def _opens_as_zlib(content: Content) -> bool:
    """To its checksum: two bytes say too little, and a hash may begin with them."""
    stream = zlib.decompressobj()
    try:
        waiting = content[:]
        while waiting and not stream.eof:
            stream.decompress(waiting, 1 << 22)
            waiting = stream.unconsumed_tail
    except zlib.error:
        return False
    return stream.eof


_CHECKS: dict[str, Callable[[Content], bool]] = {
    "bzip2": lambda content: content[4:10] == b"1AY&SY",
    "zlib": _opens_as_zlib,
}
"""Where the first bytes may also be those of something else."""
