"""Plants in text, packed files, names and raw bytes."""

import base64
import bz2
import gzip
import io
import json
import lzma
import tarfile
import unicodedata
import uuid
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from storage import Workspace
from tests.pseudonymisation.scan.planting import (
    Plant,
    Write,
    digits,
    email,
    name,
    phone,
    stripe_id,
    uuid_text,
)

SURROUNDINGS = bytes(range(128, 256)) * 8


def text(template: str, change: Callable[[str], str] = str) -> Write:
    return lambda path, value, workspace: _write(path, template.replace("{}", change(value)).encode())


def raw(change: Callable[[str], bytes]) -> Write:
    """Among bytes that are no text."""
    return lambda path, value, workspace: _write(path, SURROUNDINGS + change(value) + SURROUNDINGS)


def packed(pack: Callable[[bytes], bytes]) -> Write:
    return lambda path, value, workspace: _write(path, pack(_lines(value)))


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _lines(value: str) -> bytes:
    return b"".join(json.dumps({"n": n, "who": value if n == 700 else "x"}).encode() + b"\n" for n in range(1000))


def _zip(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside.jsonl", content)
    return buffer.getvalue()


def _tar(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("inside.jsonl")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _compressed(codec: str) -> Callable[[bytes], bytes]:
    def compress(content: bytes) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, codec) as stream:
            stream.write(content)
        compressed: Any = sink.getvalue().to_pybytes()
        return bytes(compressed)

    return compress


def _in_base64(before: int) -> Callable[[str], bytes]:
    return lambda value: base64.b64encode(b"\xf1" * (30 + before) + value.encode() + b"\xf2" * 40)


def _named(path: Path, value: str, workspace: Workspace) -> None:
    path.parent.joinpath(f"of-{value}.json").write_text("{}")


def _folder_named(path: Path, value: str, workspace: Workspace) -> None:
    path.parent.joinpath(value).mkdir()


def _link_to(path: Path, value: str, workspace: Workspace) -> None:
    path.symlink_to(f"nowhere/{value}")


def _link_outside(path: Path, value: str, workspace: Workspace) -> None:
    path.parent.rmdir()
    outside = workspace.home.root.with_name(f"{workspace.home.root.name}-outside")
    outside.mkdir()
    (outside / "left.log").write_text(f"seen: {value}\n")
    (outside / "again").symlink_to(outside)
    path.parent.symlink_to(outside)


_UUID_FORMS: dict[str, Callable[[uuid.UUID], bytes]] = {
    "UUID bytes": lambda u: u.bytes,
    "UUID bytes, little-endian": lambda u: u.bytes_le,
    "UUID bytes as DuckDB has them": lambda u: bytes([u.bytes[0] ^ 0x80, *u.bytes[1:]])[::-1],
    "UUID without dashes": lambda u: u.hex.upper().encode(),
    "base64": lambda u: base64.b64encode(b"\xf3" * 7 + u.bytes + b"\xf3" * 9),
}

TEXTS = [
    Plant(file="dbt/fraud/logs/dbt.log", place="text", write=text("12:00:01 [info] row of {} failed\n")),
    Plant(file="last_run.json", place="text", write=text('{"stages": [{"error": "{}"}]}')),
    Plant(file="temporary/a.csv", place="text", write=text("a;{};b\n", str.upper)),
    Plant(file="temporary/b.csv", place="text", write=text("1;{};2026\n"), value=phone),
    Plant(file="temporary/c.csv", place="text", write=text("ring +47{} nå\n"), value=phone),
    Plant(
        file="temporary/d.csv",
        place="text",
        write=text("ring {} nå\n", lambda p: f"{p[:3]} {p[3:5]} {p[5:]}"),
        value=phone,
    ),
    Plant(
        file="temporary/e.csv", place="text", write=text("<{}>", lambda d: f"{d[:4]}.{d[4:6]}.{d[6:]}"), value=digits
    ),
    Plant(file="temporary/f.csv", place="text", write=text("{}", lambda u: f"urn:uuid:{u.upper()}"), value=uuid_text),
    Plant(file="temporary/g.csv", place="text", write=text("({})"), value=stripe_id),
    Plant(file="temporary/h.csv", place="text", write=text("hei {}!", str.upper), value=name),
    Plant(file="temporary/i.csv", place="text", write=text("hei {}!", str.lower), value=name),
    Plant(
        file="temporary/j.csv",
        place="text",
        write=text("hei {}!", lambda v: unicodedata.normalize("NFD", v)),
        value=name,
    ),
    Plant(
        file="temporary/k.json",
        place="text",
        write=text("{}", lambda v: json.dumps({"name": v})),
        value=name,
        encoding="JSON escapes",
    ),
    Plant(
        file="temporary/l.json",
        place="text, unescaped",
        write=text("{}", lambda v: json.dumps(json.dumps({"name": v}))),
        value=name,
    ),
    Plant(file="temporary/m.json", place="text, unescaped", write=text('"{}"', lambda v: v.replace("@", "\\u0040"))),
    Plant(file="temporary/n.log", place="text", write=text("GET /?who={}&x", quote), encoding="percent-encoded"),
    Plant(
        file="temporary/o.txt",
        place="text",
        write=lambda path, value, workspace: _write(path, f"x\n{value}\n".encode("utf-16")),
        value=name,
    ),
    Plant(file="temporary/p.sql", place="text", write=text("select '{}'", lambda v: v.encode().hex()), encoding="hex"),
]

PACKED = [
    Plant(file="exports/a.jsonl.gz", place="gzip, text", write=packed(gzip.compress)),
    Plant(
        file="exports/b.gz.gz",
        place="gzip, gzip, text",
        write=packed(lambda content: gzip.compress(gzip.compress(content))),
    ),
    Plant(
        file="exports/c.gz",
        place="gzip, text",
        write=packed(lambda content: gzip.compress(b"first\n") + gzip.compress(content)),
    ),
    Plant(file="exports/d.bz2", place="bzip2, text", write=packed(bz2.compress)),
    Plant(file="exports/e.xz", place="xz, text", write=packed(lzma.compress)),
    Plant(file="exports/f.zst", place="zstd, text", write=packed(_compressed("zstd"))),
    Plant(file="exports/g.lz4", place="lz4, text", write=packed(_compressed("lz4"))),
    Plant(file="exports/h.z", place="zlib, text", write=packed(zlib.compress)),
    Plant(file="exports/i.zip", place="zip!inside.jsonl, text", write=packed(_zip)),
    Plant(file="exports/j.tar.gz", place="gzip, tar!inside.jsonl, text", write=packed(_tar)),
]

RAW = [
    Plant(file="dbt/manifest/partial_parse.msgpack", place="raw bytes", write=raw(str.encode)),
    Plant(file="dbt/a.msgpack", place="raw bytes", write=raw(lambda v: v.encode("utf-16-le")), encoding="UTF-16LE"),
    Plant(file="dbt/b.msgpack", place="raw bytes", write=raw(lambda v: v.encode("utf-16-be")), encoding="UTF-16BE"),
    Plant(file="dbt/c.msgpack", place="raw bytes", write=raw(lambda v: v.encode().hex().encode()), encoding="hex"),
    Plant(
        file="dbt/d.msgpack", place="raw bytes", write=raw(lambda v: v.encode().hex().upper().encode()), encoding="hex"
    ),
    Plant(
        file="dbt/e.msgpack",
        place="raw bytes",
        write=raw(lambda v: v.encode("latin-1")),
        encoding="Latin-1",
        value=name,
    ),
    *(
        Plant(file=f"dbt/base64-{n}.msgpack", place="raw bytes", write=raw(_in_base64(n)), encoding="base64")
        for n in range(3)
    ),
    Plant(
        file="dbt/f.msgpack",
        place="raw bytes",
        write=raw(lambda v: int(v).to_bytes(8, "little")),
        encoding="64-bit integer",
        value=digits,
    ),
    Plant(
        file="dbt/g.msgpack",
        place="raw bytes",
        write=raw(lambda v: int(v).to_bytes(8, "big")),
        encoding="64-bit integer, big-endian",
        value=digits,
    ),
    *(
        Plant(
            file=f"dbt/uuid-{n}.msgpack",
            place="raw bytes",
            write=raw(lambda v, form=form: form(uuid.UUID(v))),  # type: ignore[misc]
            encoding=encoding,
            value=uuid_text,
        )
        for n, (encoding, form) in enumerate(_UUID_FORMS.items())
    ),
    # Across the border of two parts of a file that is too large to be searched at once.
    Plant(
        file="dbt/large.msgpack",
        place="raw bytes",
        write=lambda path, value, workspace: _write(
            path, b"\xff" * ((1 << 24) - 10) + value.encode() + b"\xff" * (1 << 16)
        ),
    ),
]

NAMES = [
    Plant(file="exports/named/of-[line {line}].json", place="its name", write=_named, value=email),
    Plant(file="exports/folders/[line {line}]", place="its name", write=_folder_named, value=uuid_text),
    Plant(file="exports/link", place="where the link leads", write=_link_to),
    Plant(file="exports/outside/left.log", place="text", write=_link_outside),
]

RAW_PLANTS = TEXTS + PACKED + RAW + NAMES
