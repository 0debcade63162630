"""Text: JSON and JSON lines, logs, SQL, YAML and the like. The raw bytes are the text; what is escaped there is not."""

import codecs
from collections.abc import Iterator

from pseudonymisation.scan.formats.source import Content, Source
from pseudonymisation.scan.pieces import Found, Piece, unescaped

UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_SAMPLE = 1 << 16
_SLICE = 1 << 24
_OVERLAP = 1 << 12


def is_utf8(content: Content) -> bool:
    """Judged by its beginning and its end."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    head, tail = content[:_SAMPLE], content[max(_SAMPLE, len(content) - _SAMPLE) :]
    try:
        decoder.decode(head)
    except UnicodeDecodeError:
        return False
    return b"\0" not in head + tail


def read_text(source: Source) -> Iterator[Found]:
    """What the raw bytes do not show: the text without escapes."""
    for start in range(0, len(source.content), _SLICE):
        content = source.content[max(0, start - _OVERLAP) : start + _SLICE]
        yield from unescaped(Piece(place="text", content=content, form="text"))


def read_utf16(source: Source) -> Iterator[Found]:
    """UTF-16 with its mark at the beginning."""
    piece = Piece(place="text", content=source.content[:].decode("utf-16").encode(), form="text")
    yield piece
    yield from unescaped(piece)
