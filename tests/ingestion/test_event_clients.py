"""Events of public client libraries come through unchanged in meaning, however those write them."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from segment.analytics.client import Client  # type: ignore[import-untyped]

from ingestion.events import EventsPull, pull_events
from ingestion.landing import open_landing
from storage import Workspace
from tests.ingestion.event_lines import USER, WANTED, context, event, landed_events, write_file

RECEIVER = Path(__file__).with_name("segment_receiver.py")
CONSENTING = {"consent": {"categoryPreferences": {"analytics": True, "marketing": True}}}
PROVIDER = "0cc175b9-c0f1-46b6-a31c-399e269772f2"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "events"
    folder.mkdir()
    return folder


@pytest.fixture
def collector(root: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a receiver in a process of its own."""
    port_file = tmp_path / "port"
    process = subprocess.Popen([sys.executable, str(RECEIVER), str(root), str(port_file)])
    try:
        until = time.monotonic() + 20
        while not port_file.exists() and time.monotonic() < until:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port_file.read_text()}"
    finally:
        process.terminate()
        process.wait(10)


def pull(workspace: Workspace, root: Path) -> EventsPull:
    with open_landing(workspace) as landing:
        return pull_events(workspace, landing, root=str(root), wanted=WANTED)


def payloads(workspace: Workspace) -> dict[str, Any]:
    return {row["message_id"]: json.loads(row["payload"]) for row in landed_events(workspace)}


@pytest.mark.parametrize("compressed", [False, True])
def test_what_segments_python_library_sends_comes_through(
    workspace: Workspace, root: Path, collector: str, compressed: bool
) -> None:
    failures: list[Any] = []
    client = Client("write-key", host=collector, gzip=compressed, on_error=lambda error, items: failures.append(error))
    who: dict[str, Any] = {"anonymous_id": "cookie-1", "context": dict(CONSENTING)}
    before = datetime.now(UTC)
    search = {"category": "cleaning", "postal_code": "0150", "results": [PROVIDER], "filters": {}}
    view = {"provider_id": PROVIDER, "position": 2}
    tools = {"Amplitude": {"session_id": 1}}
    client.track(USER, "Search Performed", search, message_id="search", timestamp=datetime(2020, 1, 1), **who)
    client.track(None, "Provider Viewed", view, message_id="view", integrations=tools, **who)
    client.identify(USER.upper(), {"email": "planted@example.no"}, message_id="identify", **who)
    client.page(None, "Docs", "Planted page", {"url": "https://leii.example/planted?q=1"}, message_id="page", **who)
    client.screen(USER, None, "Planted screen", message_id="screen", **who)
    client.alias("cookie-0", USER, message_id="alias", context=dict(CONSENTING))
    client.track(USER, "Request Sent", {"request_id": 17}, message_id="without-consent")
    client.track(USER, "Calendar Opened", message_id="refused")
    client.shutdown()
    assert not failures
    done = pull(workspace, root)
    assert (done.lines, done.landed, done.refused_without_consent, done.quarantined) == (8, 7, 1, 0)
    assert not done.unclassified
    found = payloads(workspace)
    assert found["search"]["properties"] == {"category": "cleaning", "postal_code": "0150", "results": [PROVIDER]}
    assert (found["search"]["userId"], found["search"]["anonymousId"]) == (USER, "cookie-1")
    assert found["view"]["properties"] == {"provider_id": PROVIDER, "position": 2}
    assert "userId" not in found["view"]
    assert found["identify"]["userId"] == USER
    assert {name: one["type"] for name, one in found.items() if one["type"] != "track"} == {
        "identify": "identify", "page": "page", "screen": "screen", "alias": "alias",
    }  # fmt: skip
    assert found["without-consent"]["properties"] == {"request_id": 17}
    assert "lanted" not in json.dumps(found)
    received = {row["received_at"] for row in landed_events(workspace)}
    assert all(before.replace(microsecond=0) <= moment <= datetime.now(UTC) for moment in received)


# As their documentation shows them; the ids, texts and times are ours.
ANALYTICS_JS = {
    "_metadata": {"bundled": ["Segment.io"], "unbundled": []},
    "writeKey": "key",
    "integrations": {},
    "userId": None,
    "context": {
        **context(analytics=True, marketing=False),
        "library": {"name": "analytics.js", "version": "next-1.82.0"},
        "timezone": "Europe/Oslo",
        "userAgentData": {"brands": [], "mobile": False, "platform": "Linux"},
        "page": {"path": "/tilbydere/17", "url": "https://leii.example/tilbydere/17?q=planted", "title": "Planted"},
    },
}
RUDDERSTACK = {
    "channel": "web",
    "rudderId": "b6a0e7d2-9e3e-4fb4-9f6b-6d9d7e9d0000",
    "integrations": {"All": True},
    "userId": "",
    "originalTimestamp": "2026-11-10T10:00:00.000Z",
    "receivedAt": "2026-11-10T11:00:01.123+01:00",
    "request_ip": "192.0.2.17",
    "context": {
        **context(analytics=True, marketing=False),
        "sessionId": 1762768800000,
        "sessionStart": True,
        "traits": {"email": "planted@example.no"},
        "library": {"name": "RudderLabs JavaScript SDK", "version": "3.20.1"},
        "screen": {"width": 1280, "density": 1.5},
    },
}
RUDDERSTACK_PAGE = {
    **RUDDERSTACK,
    "type": "page",
    "event": "",
    "name": "Home",
    "properties": {"tab_url": "planted", "title": "Planted"},
}


@pytest.mark.parametrize("sent", [ANALYTICS_JS, RUDDERSTACK, RUDDERSTACK_PAGE])
def test_other_clients_shapes_are_understood(workspace: Workspace, root: Path, sent: dict[str, Any]) -> None:
    write_file(root, [event("m1", **sent)])
    done = pull(workspace, root)
    assert (done.landed, done.quarantined) == (1, 0)
    (row,) = landed_events(workspace)
    assert (row["user_id"], row["anonymous_id"]) == (None, "anonymous-cookie-1")
    assert row["received_at"] == datetime(2026, 11, 10, 10, 0, 1, 123000, tzinfo=UTC)
    assert row["event"] == ("Search Performed" if sent.get("type") != "page" else None)
    assert "lanted" not in row["payload"]
    assert "192.0.2.17" not in row["payload"]
    assert done.unclassified == ({"properties.tab_url"} if sent.get("type") == "page" else frozenset())
