"""Parquet: rows, dictionaries with what no row has, statistics and metadata.

Encrypted files are those of DuckDB. Beside the rows, each encrypted part is opened by itself (AES-GCM without
associated data, as DuckDB writes it): page headers, pages, dictionaries, and the footer with its statistics.
"""

import base64
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pseudonymisation.scan.formats.arrow_file import schema_pieces
from pseudonymisation.scan.formats.columns import table_pieces
from pseudonymisation.scan.formats.packed import LARGEST, is_packed
from pseudonymisation.scan.formats.source import Content, Source
from pseudonymisation.scan.keys import zone_keys
from pseudonymisation.scan.pieces import Form, Found, Gap, Inner, Piece

MAGIC = b"PAR1"
ENCRYPTED_MAGIC = b"PARE"
_ROWS_AT_A_TIME = 50_000
_NONCE, _TAG = 12, 16
_LONGEST_PLAIN_PART = 64
"""Between encrypted parts stands only what names the cipher."""


def read_parquet(source: Source) -> Iterator[Found]:
    """Raises ArrowException for a damaged file."""
    content = pa.py_buffer(source.content)
    texts = _byte_array_columns(pq.ParquetFile(pa.BufferReader(content)))
    file = pq.ParquetFile(pa.BufferReader(content), read_dictionary=texts)
    yield from schema_pieces(file.schema_arrow)
    metadata = file.metadata.metadata or {}
    yield Piece(place="metadata", content=b"\n".join(part for entry in metadata.items() for part in entry), form="text")
    yield from _statistics(file.metadata)
    yield from table_pieces("", file.iter_batches(batch_size=_ROWS_AT_A_TIME))


def _byte_array_columns(file: pq.ParquetFile) -> list[str]:
    schema = file.schema
    return [
        schema.column(number).path
        for number in range(len(schema))
        if schema.column(number).physical_type == "BYTE_ARRAY"
    ]


def _statistics(metadata: pq.FileMetaData) -> Iterator[Found]:
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            statistics = column.statistics
            if statistics is not None and statistics.has_min_max:
                for value in (statistics.min, statistics.max):
                    content = value if isinstance(value, bytes) else str(value).encode()
                    form: Form = (
                        "numbers" if isinstance(value, int) else "binary" if isinstance(value, bytes) else "text"
                    )
                    yield Piece(place=f"{column.path_in_schema}, statistics", content=content, form=form)


def read_encrypted_parquet(source: Source) -> Iterator[Found]:
    """With whichever zone's key opens it."""
    for key in zone_keys(source.keyring):
        if _next_part(source.content, len(ENCRYPTED_MAGIC), AESGCM(key)) is not None:
            yield from _parts(source.content, AESGCM(key))
            yield from _rows(source, key)
            return
    yield Gap(reason="no key of the keyring opens it")


def _parts(content: Content, cipher: AESGCM) -> Iterator[Found]:
    position, last = len(ENCRYPTED_MAGIC), len(content) - len(ENCRYPTED_MAGIC) - 4
    while position < last:
        part = _next_part(content, position, cipher)
        if part is None:
            yield Gap(reason="a part of it is damaged, cut off, or encrypted with another key")
            return
        position, plain = part
        yield Piece(place="pages and statistics, decrypted", content=plain, form="binary")
        unpacked = _unsnapped(plain)
        if unpacked is not None:
            yield Piece(place="pages and statistics, decrypted", content=unpacked, form="binary")
        elif is_packed(plain):
            yield Inner(place="pages and statistics, decrypted", content=plain)


def _next_part(content: Content, position: int, cipher: AESGCM) -> tuple[int, bytes] | None:
    """Where the next part ends, and what it says: length (4 bytes), nonce (12), ciphertext, tag (16)."""
    for start in range(position, min(position + _LONGEST_PLAIN_PART, len(content) - 4)):
        end = start + 4 + int.from_bytes(content[start : start + 4], "little")
        if start + 4 + _NONCE + _TAG <= end <= len(content):
            try:
                return end, cipher.decrypt(
                    content[start + 4 : start + 4 + _NONCE], content[start + 4 + _NONCE : end], None
                )
            except InvalidTag:
                continue
    return None


def _unsnapped(content: bytes) -> bytes | None:
    """Snappy begins with the length of what comes out, seven bits a byte."""
    size = 0
    for place, byte in enumerate(content[:5]):
        size |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            break
    if not 0 < size < LARGEST:
        return None
    try:
        return bytes(pa.decompress(content, decompressed_size=size, codec="snappy", asbytes=True))
    except (pa.ArrowException, OSError):
        return None


def _rows(source: Source, key: bytes) -> Iterator[Found]:
    if source.path is None:
        yield Gap(reason="an encrypted Parquet file inside another file: unpack it to have its rows read")
        return
    text = base64.b64encode(key).decode()
    source.connect().execute(f"PRAGMA add_parquet_key('leii_scanned', '{text}')")
    location = str(source.path).replace("'", "''")
    query = f"SELECT * FROM read_parquet('{location}', encryption_config={{footer_key: 'leii_scanned'}})"
    yield from table_pieces("", source.connect().sql(query).to_arrow_reader(_ROWS_AT_A_TIME))
