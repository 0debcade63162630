"""Event files: Segment's common fields, and the untidiness of real ones at the stated rates."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.world.event_files import HUGE_TEXT
from demo.world.generate import generate_world
from demo.world.spec import world_spec
from tests.demo.conftest import World

EVENTS = 20_000
COMMON = {
    "messageId", "type", "event", "anonymousId", "userId", "timestamp", "sentAt", "receivedAt", "properties", "traits", "context",
}  # fmt: skip
CONTEXT = {"ip", "userAgent", "locale", "app", "page", "device", "location", "consent"}
NAMED = {
    "Search Performed", "Provider Viewed", "Request Started", "Request Sent", "Booking Viewed", "Checkout Started",
    "Calendar Opened", "Pixel Fired", "Push Opened", "Profile Edited",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """All lines as they were delivered, and those of them that can be read and have the common fields, once each."""

    world: World
    lines: list[str]
    days: list[str]
    good: list[dict[str, Any]]


def read(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
        moment(event["receivedAt"])
    except (ValueError, TypeError, KeyError):
        return None
    is_sound = isinstance(event.get("properties"), dict) and isinstance(event.get("traits"), dict)
    return event if is_sound and set(event) == COMMON else None


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    folder = tmp_path_factory.mktemp("events-world")
    content = generate_world(folder, world_spec(seed=3, accounts=60, bookings=200, events=EVENTS))
    lines, days = [], []
    for file in sorted((folder / "events").rglob("*.jsonl.gz")):
        text = gzip.decompress(file.read_bytes()).decode()
        own = text.split("\n")[:-1]
        lines += own
        days += [file.parent.name.removeprefix("dt=")] * len(own)
    found = {event["messageId"]: event for event in map(read, lines) if event is not None}
    return Delivered(world=World(folder=folder, content=content), lines=lines, days=days, good=list(found.values()))


def share(count: int) -> float:
    return count / EVENTS


def test_readable_events_have_the_common_fields_and_named_events_their_properties(delivered: Delivered) -> None:
    names = Counter(event["event"] for event in delivered.good)
    assert set(names) - {None} == NAMED
    assert {event["type"] for event in delivered.good} == {"track", "page", "screen", "identify", "alias"}
    for event in delivered.good:
        assert set(event["context"]) - {"campaign"} == CONTEXT
        assert (event["type"] == "track") == (event["event"] is not None)
    keys = {
        "Search Performed": {"category", "postal_code", "results", "filters"},
        "Provider Viewed": {"provider_id", "position"},
        "Request Sent": {"request_id"},
        "Checkout Started": {"booking_id", "method"},
    }
    for event in delivered.good:
        if event["event"] in keys:
            assert set(event["properties"]) - {"note"} == keys[event["event"]]


def test_files_lie_under_the_day_of_their_arrival(delivered: Delivered) -> None:
    for line, day in zip(delivered.lines, delivered.days, strict=True):
        event = read(line)
        assert event is None or event["receivedAt"].startswith(day)


def test_about_two_percent_arrive_one_to_seven_days_late(delivered: Delivered) -> None:
    delays = [moment(e["receivedAt"]) - moment(e["timestamp"]) for e in delivered.good]
    late = [delay for delay in delays if timedelta(days=1) < delay < timedelta(days=8)]
    assert 0.014 < share(len(late)) < 0.026
    assert max(late) <= timedelta(days=7, minutes=1)


def test_a_few_clocks_are_years_off_and_the_server_s_is_not(delivered: Delivered) -> None:
    off = [e for e in delivered.good if abs(moment(e["receivedAt"]) - moment(e["timestamp"])) > timedelta(days=365)]
    assert 0.0002 < share(len(off)) < 0.003
    now = delivered.world.now
    assert all(now - 181 * 86_400 < moment(e["receivedAt"]).timestamp() <= now for e in off)


def test_about_one_percent_come_twice_some_as_a_whole_file(delivered: Delivered) -> None:
    again = len(delivered.lines) - EVENTS
    assert 0.005 < share(again) < 0.015
    files = [file.read_bytes() for file in sorted((delivered.world.folder / "events").rglob("*.jsonl.gz"))]
    assert len(set(files)) < len(files)
    assert delivered.world.content["counts"]["events"] == len(delivered.lines)


def test_about_three_in_a_thousand_are_broken_each_in_one_of_the_known_ways(delivered: Delivered) -> None:
    accounts = set(delivered.world.table("account")["account_id"])
    bad = [line for line in delivered.lines if read(line) is None]
    strangers = [e for e in delivered.good if e["userId"] is not None and e["userId"] not in accounts]
    huge = [line for line in delivered.lines if len(line) > HUGE_TEXT]
    assert 0.0015 < share(len(bad) + len(strangers) + len(huge)) < 0.005
    assert strangers
    assert huge
    assert any(line.startswith("<html>") for line in bad)
    assert any("\x00" in line for line in bad)
    assert any(line.startswith("{") and not line.endswith("}") for line in bad)
    assert any('"properties":[{' in line for line in bad)


def test_consent_differs_and_some_pixels_come_without_it(delivered: Delivered) -> None:
    preferences = Counter(tuple(e["context"]["consent"]["categoryPreferences"].values()) for e in delivered.good)
    assert set(preferences) == {(a, m) for a in (True, False) for m in (True, False)}
    pixels = [
        e["context"]["consent"]["categoryPreferences"]["marketing"]
        for e in delivered.good
        if e["event"] == "Pixel Fired"
    ]
    assert 0 < pixels.count(False) < pixels.count(True)


def test_requests_and_bookings_named_in_events_are_their_own_customer_s(delivered: Delivered) -> None:
    requests = dict(delivered.world.table("service_request").select("request_id", "customer_id").rows())
    bookings = dict(delivered.world.table("booking").select("booking_id", "customer_id").rows())
    strangers = 0
    for event in delivered.good:
        if event["event"] == "Request Sent":
            strangers += requests[event["properties"]["request_id"]] != event["userId"]
        if event["event"] in ("Checkout Started", "Booking Viewed"):
            strangers += bookings[event["properties"]["booking_id"]] != event["userId"]
    assert strangers <= 5, "only a line with an unknown id may say otherwise"


def test_several_people_share_a_device_and_a_cookie(delivered: Delivered) -> None:
    people: dict[str, set[str]] = {}
    for event in delivered.good:
        if event["userId"]:
            people.setdefault(event["anonymousId"], set()).add(event["userId"])
    assert max(len(users) for users in people.values()) > 1


@pytest.mark.parametrize("rate", ["late_rate", "double_rate", "broken_rate"])
def test_a_rate_of_nought_means_none(tmp_path: Path, rate: str) -> None:
    none: dict[str, Any] = {rate: 0.0, "wrong_clock_rate": 0.0}
    spec = replace(world_spec(seed=3, accounts=60, bookings=200, events=800), **none)
    content = generate_world(tmp_path, spec)
    lines = [
        line
        for f in sorted((tmp_path / "events").rglob("*.gz"))
        for line in gzip.decompress(f.read_bytes()).decode().split("\n")[:-1]
    ]
    good = [event for event in map(read, lines) if event]
    if rate == "late_rate":
        assert all(moment(e["receivedAt"]) - moment(e["timestamp"]) < timedelta(hours=1) for e in good)
    if rate == "double_rate":
        assert len(lines) == content["counts"]["events"] == 800
    if rate == "broken_rate":
        assert len(good) == len(lines)
