"""DuckDB: every column of every table, the catalog's texts, ENUM types, statistics, and each block as it is on the disk.

An encrypted file's blocks are decrypted one by one and searched as raw bytes: that is where deleted rows are, which no
query shows. In a plain file the raw bytes of the file are the blocks. Deleted values that are compressed there are not
found by their bytes, so a file that has room for such is named: a compacted copy of it has none.
"""

import hashlib
import re
from collections.abc import Iterator

import duckdb
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pseudonymisation.scan.formats.columns import table_pieces
from pseudonymisation.scan.formats.source import Content, Source
from pseudonymisation.scan.keys import as_duckdb_has_it, database_keys
from pseudonymisation.scan.pieces import Form, Found, Gap, Piece, Remains
from storage.keyring import key_text

MAGIC = b"DUCK"
MAGIC_AT = 8
_FLAGS_AT = 20
_SALT = slice(124, 140)
_HEADERS = 3 * 4096
_BLOCK = 262_144
_NONCE, _TAG, _CIPHERTEXT = slice(0, 12), slice(12, 28), 32
_ROWS_AT_A_TIME = 50_000
_PREFIX_BYTES = 8

_CATALOG = {
    "databases": {"comment": "comment", "tags": "comment"},
    "schemas": {"schema_name": "name", "comment": "comment", "tags": "comment"},
    "tables": {"table_name": "name", "comment": "comment", "tags": "comment"},
    "columns": {
        "table_name || '.' || column_name": "name",
        "comment": "comment",
        "column_default": "default value",
        "data_type": "enum type",
    },
    "views": {"view_name": "name", "sql": "view text", "comment": "comment", "tags": "comment"},
    "types": {"type_name": "name", "labels": "enum type", "comment": "comment", "tags": "comment"},
    "functions": {
        "function_name": "name",
        "parameters": "macro",
        "macro_definition": "macro",
        "comment": "comment",
        "tags": "comment",
    },
    "indexes": {"index_name": "name", "sql": "index", "comment": "comment", "tags": "comment"},
    "constraints": {"constraint_text": "constraint"},
    "sequences": {"sequence_name": "name", "sql": "sequence", "comment": "comment", "tags": "comment"},
}
"""Columns of `duckdb_<name>()` that hold somebody's words, and what they are."""

_BEGINNING = {
    "VARCHAR": f"encode({{}})[:{_PREFIX_BYTES}]",
    "JSON": f"encode(CAST({{}} AS VARCHAR))[:{_PREFIX_BYTES}]",
    "BLOB": f"{{}}[:{_PREFIX_BYTES}]",
}
"""By type, how a value begins, as bytes."""

_MIN_MAX = re.compile(r"\[Min: (.*?), Max: (.*?)(?:, Has Unicode: \w+, Max String Length: (\d+))?\]", re.DOTALL)


def read_duckdb(source: Source) -> Iterator[Found]:
    """With whichever key opens it. Raises duckdb.Error for a damaged file."""
    if source.path is None:
        yield Gap(reason="a DuckDB file inside another file: unpack it to have it read")
        return
    is_encrypted = bool(source.content[_FLAGS_AT] & 1)
    key = _opening_key(source) if is_encrypted else None
    if is_encrypted and key is None:
        yield Gap(reason="no key of the keyring opens it")
        return
    if key is None:
        _attach(source, "")
    else:
        yield from _blocks(source.content, key)
    try:
        yield from _catalog(source.connect())
        yield from _tables(source.connect())
        yield from _free_blocks(source.connect())
    finally:
        source.connect().execute("DETACH scanned")


def _attach(source: Source, options: str) -> None:
    location = str(source.path).replace("'", "''")
    source.connect().execute(f"ATTACH '{location}' AS scanned (READ_ONLY{options})")


def _opening_key(source: Source) -> bytes | None:
    """The key with which the file is attached now."""
    for key in database_keys(source.keyring):
        try:
            _attach(source, f", ENCRYPTION_KEY '{key_text(key)}'")
        except duckdb.InvalidInputException:
            continue
        return key
    return None


def _blocks(content: Content, key: bytes) -> Iterator[Found]:
    """Each block holds its nonce, its tag and its ciphertext; the key is SHA-256 of the file's salt and the given one."""
    ciphers = [AESGCM(hashlib.sha256(content[_SALT] + given).digest()) for given in as_duckdb_has_it(key)]
    unopened = 0
    for start in range(_HEADERS, len(content), _BLOCK):
        block = content[start : start + _BLOCK]
        plain = next((text for cipher in ciphers if (text := _decrypted(cipher, block)) is not None), None)
        if plain is not None:
            yield Piece(place="raw bytes, decrypted", content=plain, form="binary")
        elif any(block):
            unopened += 1
    if unopened:
        yield Gap(reason=f"{unopened} blocks of it do not open with the key that opens the file")


def _decrypted(cipher: AESGCM, block: bytes) -> bytes | None:
    try:
        return cipher.decrypt(block[_NONCE], block[_CIPHERTEXT:] + block[_TAG], None)
    except (InvalidTag, ValueError):
        return None


def _catalog(con: duckdb.DuckDBPyConnection) -> Iterator[Found]:
    for name, labels in _CATALOG.items():
        selected = ", ".join(f"CAST({column} AS VARCHAR)" for column in labels)
        rows = con.execute(f"SELECT {selected} FROM duckdb_{name}() WHERE database_name = 'scanned'").fetchall()
        for row in rows:
            title = f"{name.removesuffix('s')} {row[0]}" if "name" in labels.values() else name
            for label, text in zip(labels.values(), row, strict=True):
                if text:
                    yield Piece(place=f"{title}, {label}", content=text.encode(), form="text")


def _tables(con: duckdb.DuckDBPyConnection) -> Iterator[Found]:
    tables = con.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'scanned' ORDER BY 1, 2"
    ).fetchall()
    for schema, table in tables:
        relation = f"scanned.{_quoted(schema)}.{_quoted(table)}"
        reader = con.sql(f"SELECT * FROM {relation}").to_arrow_reader(_ROWS_AT_A_TIME)
        yield from table_pieces(f"{schema}.{table}", reader)
        yield from _statistics(con, relation, f"{schema}.{table}")
        yield from _deleted_rows(con, relation, f"{schema}.{table}")


def _free_blocks(con: duckdb.DuckDBPyConnection) -> Iterator[Found]:
    row = con.execute("SELECT free_blocks FROM pragma_database_size() WHERE database_name = 'scanned'").fetchone()
    if row is None or row[0]:
        yield Remains(reason="free blocks")


def _deleted_rows(con: duckdb.DuckDBPyConnection, relation: str, title: str) -> Iterator[Found]:
    """The first column's row of flags for NULL counts the rows that are stored, the deleted ones among them."""
    stored = con.execute(
        "SELECT coalesce(sum(count), 0) FROM pragma_storage_info(?) WHERE column_path = '[0, 0]'", [relation]
    ).fetchone()
    live = con.execute(f"SELECT count(*) FROM {relation}").fetchone()
    if stored is None or live is None or stored[0] > live[0]:
        yield Remains(reason=f"deleted rows of {title}")


def _statistics(con: duckdb.DuckDBPyConnection, relation: str, title: str) -> Iterator[Found]:
    """Minimum and maximum of each segment and of each column: they outlive the row that they came from."""
    found = set(
        con.execute(
            "SELECT column_name, stats FROM pragma_storage_info(?) WHERE stats LIKE '%[Min:%'", [relation]
        ).fetchall()
    )
    types = {row[0]: row[1] for row in con.execute(f"DESCRIBE {relation}").fetchall()}
    selected = ", ".join(f"stats({_quoted(column)})" for column in types)
    whole = con.execute(f"SELECT {selected} FROM {relation} LIMIT 1").fetchone() or ()
    found |= set(zip(types, whole, strict=bool(whole)))
    for column, text in sorted(found):
        for match in _MIN_MAX.finditer(text):
            for value in set(match.group(1, 2)):
                yield from _extreme(f"{title}.{column}, statistics", value)
                if types[column] in _BEGINNING:
                    yield from _prefix(con, relation, f"{title}.{column}, statistics", column, types[column], value)


def _extreme(place: str, value: str) -> Iterator[Found]:
    form: Form = "numbers" if re.fullmatch(r"-?\d+(\.\d+)?", value) else "text"
    yield Piece(place=place, content=_bytes_of(value), form=form)


def _prefix(
    con: duckdb.DuckDBPyConnection, relation: str, place: str, column: str, type_: str, value: str
) -> Iterator[Found]:
    """Of a text, DuckDB keeps eight bytes: they name somebody only if no row that is still there begins so.

    Inside a nested type they are not looked at: what the rows there begin with is not asked so simply.
    """
    prefix = _bytes_of(value)
    if len(prefix) != _PREFIX_BYTES:
        return
    beginning = _BEGINNING[type_].format(_quoted(column))
    row = con.execute(f"SELECT count(*) FROM {relation} WHERE {beginning} = ?", [prefix]).fetchone()
    if row == (0,):
        yield Piece(place=place, content=prefix, form="prefixes")


def _bytes_of(value: str) -> bytes:
    """Statistics write bytes beyond ASCII as \\xHH."""
    return re.sub(rb"\\x([0-9A-F]{2})", lambda match: bytes((int(match.group(1), 16),)), value.encode())


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
