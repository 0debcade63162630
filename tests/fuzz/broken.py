"""Ways to break JSON, lines and files. Everything comes from one seed, so that a failure can be played again."""

import copy
import gzip
import json
import random
from collections.abc import Callable
from typing import Any

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**31, 2**63, -(2**63) - 1, 10**40, 1.5, -0.0, 1e308, "", " ", "null", "NaN", "infinity",
    "-infinity", "\x00", "a\x00b", "\x1b[2J", "\u202e", "\ufeff", "\u200d", "🙂" * 40, "é" * 3000, "x" * 30_000, [], {}, [[]],
    [None], {"": ""}, {"id": []}, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "294276-12-31T00:00:00Z",
    "-4713-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-13-01", "99999999999999999999", "' OR 1=1 --", "${jndi:x}",
    "../../etc/passwd", "%00", "<script>", '"', "\\", "1e400", "0x10", "１２３", "2026-11-10T10:00:00+99:99",
)  # fmt: skip


def deep(levels: int, kind: str) -> str:
    """JSON text nested so deep."""
    return "[" * levels + "]" * levels if kind == "list" else '{"a":' * levels + "1" + "}" * levels


def change_object(chance: random.Random, value: dict[str, Any]) -> dict[str, Any]:
    """The object with one to three fields somewhere in it made strange, removed, or put in twice as deep."""
    changed = copy.deepcopy(value)
    for _ in range(chance.randint(1, 3)):
        holder, key = chance.choice(_places(changed) or [(changed, "new")])
        what = chance.random()
        if what < 0.75:
            holder[key] = copy.deepcopy(chance.choice(STRANGE))
        elif what < 0.9 and isinstance(holder, dict):
            holder.pop(key, None)
        else:
            holder[key] = {"data": holder.get(key) if isinstance(holder, dict) else None, "object": [1]}
    return changed


def _places(value: Any) -> list[tuple[Any, Any]]:
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [(value, key) for key, _ in items] + [place for _, one in items for place in _places(one)]


def break_line(chance: random.Random, event: dict[str, Any]) -> bytes:
    """One line of an event file that is probably no event any more."""
    return chance.choice(LINE_BREAKERS)(chance, event)


def _text(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode()


def _strange(chance: random.Random, event: dict[str, Any]) -> bytes:
    return _text(change_object(chance, event))


def _cut(chance: random.Random, event: dict[str, Any]) -> bytes:
    line = _text(event)
    return line[: chance.randrange(1, len(line))]


def _bytes(chance: random.Random, event: dict[str, Any]) -> bytes:
    line = bytearray(_text(event))
    for _ in range(chance.randint(1, 8)):
        line[chance.randrange(len(line))] = chance.choice([0, 1, 7, 27, 34, 92, 123, 125, 128, 192, 237, 255])
    return bytes(line).replace(b"\n", b"?")


def _other_encoding(chance: random.Random, event: dict[str, Any]) -> bytes:
    text = json.dumps({**event, "event": "Søk utført æøå"}, ensure_ascii=False)
    encoded = text.encode(chance.choice(["latin-1", "utf-16", "utf-16-be", "utf-32", "utf-8-sig", "cp037"]))
    return encoded.replace(b"\n", b" ")


def _huge(chance: random.Random, event: dict[str, Any]) -> bytes:
    return _text({**event, "properties": {"text": "la " * chance.choice([21_000, 22_000, 70_000, 500_000])}})


def _nested(chance: random.Random, event: dict[str, Any]) -> bytes:
    inside = deep(chance.choice([100, 1_000, 5_000, 9_000]), chance.choice(["list", "object"]))
    whole = {**event, chance.choice(["properties", "traits", "context", "messageId", "userId"]): "@"}
    return _text(whole).replace(b'"@"', inside.encode())


def _garbage(chance: random.Random, event: dict[str, Any]) -> bytes:
    return chance.randbytes(chance.randrange(1, 300)).replace(b"\n", b"\r")


def _twice(chance: random.Random, event: dict[str, Any]) -> bytes:
    name = chance.choice(sorted(event))
    return _text(event)[:-1] + b"," + json.dumps({name: chance.choice(STRANGE)}).encode()[1:]


def _escapes(chance: random.Random, event: dict[str, Any]) -> bytes:
    bad = chance.choice([rb"\ud800", rb"\u0000", rb"\x41", rb"\u12", rb"\udc00\ud800", b"\\"])
    return _text({**event, chance.choice(["event", "messageId", "anonymousId"]): "@"}).replace(
        b'"@"', b'"a' + bad + b'"'
    )


def _no_object(chance: random.Random, event: dict[str, Any]) -> bytes:
    return chance.choice(
        [b"[]", b"null", b'"text"', b"1", b"{}", b"{}{}", b"{} x", b"NaN", b"\x00", b"\xef\xbb\xbf{}", b"{'a': 1}"]
    )


LINE_BREAKERS: tuple[Callable[[random.Random, dict[str, Any]], bytes], ...] = (
    _strange, _strange, _strange, _cut, _bytes, _other_encoding, _huge, _nested, _garbage, _twice, _escapes, _no_object,
)  # fmt: skip


def break_file(chance: random.Random, packed: bytes) -> bytes:
    """A gzipped file that was cut, damaged, followed by something, or never was one."""
    kind = chance.randrange(7)
    if kind == 0:
        return packed[: chance.randrange(0, len(packed))]
    if kind == 1:
        broken = bytearray(packed)
        for _ in range(chance.randint(1, 20)):
            broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
        return bytes(broken)
    if kind == 2:
        return packed + chance.randbytes(chance.randint(1, 100))
    if kind == 3:
        return b""
    if kind == 4:
        return gzip.decompress(packed)
    if kind == 5:
        return gzip.compress(packed)
    return packed + b"\0" * chance.randint(1, 1000) + packed[:10]
