"""Event files as a collector writes them: by day of arrival, some lines twice, some broken, some files delivered twice."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from demo.world.output import write_gzip
from demo.world.randomness import Ints, generator, uuids
from demo.world.spec import DAY, EVENT_HISTORY, WorldSpec
from demo.world.tracking import Happenings, event_chunks, make_audience

LINES_PER_FILE = 5_000
HUGE_TEXT = 200_000


def write_events(
    folder: Path,
    spec: WorldSpec,
    people: pl.DataFrame,
    shown: dict[str, pl.DataFrame],
    *,
    step: int = 0,
    window: tuple[int, int] | None = None,
    count: int | None = None,
    first: int = 1,
) -> int:
    """Writes the events received in the window (default: the history until now) and gives the number of lines."""
    window = window or (spec.now - EVENT_HISTORY, spec.now)
    count = spec.events if count is None else count
    audience = make_audience(people, shown["consent"])
    happenings = _happenings(people, shown)
    lines = 0
    for number, events in enumerate(event_chunks(spec, step, audience, happenings, window, count, first)):
        rng = generator(spec.seed, f"event files {number}", step)
        lines += _write_chunk(folder / "events", rng, spec, events, step)
    return lines


def _happenings(people: pl.DataFrame, shown: dict[str, pl.DataFrame]) -> Happenings:
    row_of = people.select("account_id", "person")
    seconds = {"request": "created_at", "booking": "booked_at"}
    requests, bookings = (
        shown[table]
        .select(
            pl.col(key).alias("number"),
            pl.col("customer_id").alias("account_id"),
            (pl.col(seconds[kind]).cast(pl.Int64) // 1_000_000).alias("at"),
            *([pl.col("payment_method").alias("method")] if kind == "booking" else []),
        )
        .join(row_of, on="account_id", maintain_order="left")
        for kind, table, key in (("request", "service_request", "request_id"), ("booking", "booking", "booking_id"))
    )
    providers = people.filter(pl.col("is_provider") & ~pl.col("gone"))["account_id"]
    return Happenings(requests=requests, bookings=bookings, provider_ids=providers)


def _write_chunk(root: Path, rng: np.random.Generator, spec: WorldSpec, events: pl.DataFrame, step: int) -> int:
    lines = events["line"].to_list()
    for row in np.flatnonzero(rng.random(len(lines)) < spec.broken_rate):
        lines[row] = _broken(rng, lines[row], events["account_id"][int(row)])
    day = (events["received_at"].to_numpy() // (DAY * 1_000)).astype(np.int64)
    # Half of what comes twice is single lines, half whole files.
    twice = np.flatnonzero(rng.random(len(lines)) < spec.double_rate / 2)
    order = np.sort(np.concatenate([np.arange(len(lines)), twice]), kind="stable")
    files = _split(day[order])
    budget = spec.double_rate / 2 * len(lines)
    again = _files_delivered_twice(rng, files, budget)
    written = 0
    for number, (start, end) in enumerate(files):
        content = "".join(f"{lines[row]}\n" for row in order[start:end]).encode()
        date = datetime.fromtimestamp(int(day[order[start]]) * DAY, UTC).date()
        part = number - next(i for i, (s, _) in enumerate(files) if day[order[s]] == day[order[start]])
        name = f"collector-{step:04d}-{part:04d}"
        write_gzip(root / f"dt={date}" / f"{name}.jsonl.gz", content)
        written += end - start
        if number in again:
            write_gzip(root / f"dt={date}" / f"{name}-redelivered.jsonl.gz", content)
            written += end - start
    return written


def _split(day: Ints) -> list[tuple[int, int]]:
    """Ranges of rows that make one file each: one day, at most `LINES_PER_FILE`."""
    edges = np.flatnonzero(np.diff(day)) + 1
    ranges = []
    for start, end in zip([0, *edges], [*edges, len(day)], strict=True):
        ranges += [(cut, min(cut + LINES_PER_FILE, int(end))) for cut in range(int(start), int(end), LINES_PER_FILE)]
    return ranges


def _files_delivered_twice(rng: np.random.Generator, files: list[tuple[int, int]], budget: float) -> set[int]:
    """Files, drawn by chance, whose lines together come near the budget; the smallest one where none fits."""
    chosen: set[int] = set()
    left = budget
    for number in rng.permutation(len(files)):
        size = files[number][1] - files[number][0]
        if size <= left:
            chosen.add(int(number))
            left -= size
    if not chosen and budget > 0 and files:
        chosen.add(min(range(len(files)), key=lambda i: (files[i][1] - files[i][0], i)))
    return chosen


def _broken(rng: np.random.Generator, line: str, account_id: str | None) -> str:
    """One of the ways in which a line goes wrong."""
    way = int(rng.integers(0, 12))
    if way < 3:
        return line[: len(line) // 2]
    if way < 5:
        return "<html><body>502 Bad Gateway</body></html>"
    if way < 7:
        return line.replace('"properties":{', '"properties":[{', 1).replace('},"traits":', '}],"traits":17,"was":', 1)
    if way < 8:
        return line.replace('"receivedAt":"', '"receivedAt":"yesterday, about ', 1)
    if way < 10:
        stranger = str(uuids(rng, 1)[0])
        return (
            line.replace(account_id, stranger)
            if account_id
            else line.replace('"userId":null', f'"userId":"{stranger}"', 1)
        )
    if way < 11:
        return line.replace('"properties":{', '"properties":{"note":"' + "la " * (HUGE_TEXT // 3) + '",', 1).replace(
            ",}", "}", 1
        )
    return line.replace('"context":{', '"context":{\x00\x07\x1b', 1)
