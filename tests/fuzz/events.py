"""Event files with good and broken lines among each other, and what must come of them."""

import gzip
import random
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from ingestion.event_files import Damage, read_lines
from ingestion.events import EventsPull
from tests.fuzz.broken import break_file, break_line
from tests.ingestion.event_lines import as_line, event

LINES_A_FILE = 40


@dataclass(kw_only=True)
class Planted:
    """What was written: the ids of good lines, and by place (file, line) what is bad; `files` that were broken as files."""

    good: set[str] = field(default_factory=set)
    bad: set[tuple[str, int]] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    inputs: int = 0


def write_broken_files(root: Path, seed: int, inputs: int) -> Planted:
    """Files with so many broken lines and, one in forty of the inputs, files that are broken as such."""
    chance = random.Random(seed)
    planted = Planted()
    number = 0
    while planted.inputs < inputs:
        name = f"dt=2026-11-{1 + number % 20:02d}/fuzz-{seed}-{number}.jsonl.gz"
        number += 1
        lines: list[bytes] = []
        for position in range(1, LINES_A_FILE + 1):
            message = f"{seed}-{number}-{position}"
            kind = chance.random()
            if kind < 0.3:
                lines.append(as_line(event(message)))
                planted.good.add(message)
            elif kind < 0.33:
                lines.append(chance.choice([b"", b"  ", b"\t", b"\r"]))
            else:
                lines.append(break_line(chance, event(message)))
                planted.bad.add((name, position))
                planted.inputs += 1
        end = chance.choice([b"", b"\n", b"\r\n"])
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(b"\n".join(lines) + end))
        if chance.random() < 0.4:
            broken = f"dt=2026-11-{1 + number % 20:02d}/broken-{seed}-{number}.jsonl.gz"
            good = gzip.compress(b"".join(as_line(event(f"b{seed}-{number}-{line}")) + b"\n" for line in range(60)))
            (root / broken).parent.mkdir(parents=True, exist_ok=True)
            (root / broken).write_bytes(break_file(chance, good))
            planted.files.add(broken)
            planted.inputs += 1
    return planted


def read_file(path: Path) -> tuple[list[bytes], str | None]:
    """The lines that the reader gets out of a file, and the damage that ends it."""
    lines: list[bytes] = []
    with path.open("rb") as stream:
        for part in read_lines(stream):
            if isinstance(part, Damage):
                return lines, part.reason_code
            lines += part.content.to_pylist()
    return lines, None


def check_accounts(
    root: Path, planted: Planted, pull: EventsPull, landed: Collection[str], quarantined: Collection[tuple[str, int]]
) -> None:
    """Every good line has landed; every other has landed as the event that it still was, is in quarantine, or counted."""
    assert planted.good <= set(landed)
    assert len(landed) == len(set(landed)) == pull.landed
    assert not [place for place in quarantined if place[0] not in planted.files and place not in planted.bad]
    files = {path.relative_to(root).as_posix(): read_file(path) for path in root.rglob("*.jsonl.gz")}
    assert pull.files == len(files)
    assert pull.lines == sum(len(lines) for lines, _ in files.values())
    damaged = sum(damage is not None for _, damage in files.values())
    blank = sum(not line.rstrip(b"\r\n").strip(b" \t") for lines, _ in files.values() for line in lines)
    assert pull.quarantined == len(quarantined)
    accounted = pull.landed + pull.duplicates + pull.refused_without_consent + pull.quarantined - damaged + blank
    assert accounted == pull.lines
