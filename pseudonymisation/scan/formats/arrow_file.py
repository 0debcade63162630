"""Arrow IPC, as a file (Feather) or a stream: columns, dictionaries with what no row has, and the schema's texts."""

from collections.abc import Iterator

import pyarrow as pa

from pseudonymisation.scan.formats.columns import table_pieces
from pseudonymisation.scan.formats.source import Content, Source
from pseudonymisation.scan.pieces import Found, Piece

FILE_MAGIC = b"ARROW1"
_STREAM_MAGIC = b"\xff\xff\xff\xff"


def is_arrow(content: Content) -> bool:
    """A stream begins with four bytes that other files may have too, and the length of its schema."""
    if content[:4] == _STREAM_MAGIC:
        return 0 < int.from_bytes(content[4:8], "little", signed=True) < len(content)
    return content[: len(FILE_MAGIC)] == FILE_MAGIC


def read_arrow(source: Source) -> Iterator[Found]:
    """Raises ArrowException for a damaged file."""
    buffer = pa.BufferReader(pa.py_buffer(source.content))
    if source.content[: len(FILE_MAGIC)] == FILE_MAGIC:
        file = pa.ipc.open_file(buffer)
        yield from schema_pieces(file.schema)
        yield from table_pieces("", (file.get_batch(number) for number in range(file.num_record_batches)))
    else:
        stream = pa.ipc.open_stream(buffer)
        yield from schema_pieces(stream.schema)
        yield from table_pieces("", stream)


def schema_pieces(schema: pa.Schema) -> Iterator[Found]:
    """Names and key-value metadata."""
    fields = [(field.name, field.metadata or {}) for field in schema]
    entries = [entry for _, metadata in fields for entry in metadata.items()] + list((schema.metadata or {}).items())
    yield Piece(place="column names", content="\n".join(name for name, _ in fields).encode(), form="text")
    yield Piece(place="metadata", content=b"\n".join(part for entry in entries for part in entry), form="text")
