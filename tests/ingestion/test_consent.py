import json
from pathlib import Path
from typing import Any

import pytest

from ingestion.events import EventsPull, pull_events
from ingestion.landing import open_landing
from storage import Workspace
from tests.ingestion.event_lines import COOKIE, USER, context, event, landed_events, write_file

NOT_GIVEN = [False, None, "true", 1, {"granted": True}]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "events"


def pull(workspace: Workspace, root: Path, *lines: dict[str, Any]) -> EventsPull:
    write_file(root, lines)
    with open_landing(workspace) as landing:
        return pull_events(workspace, landing, root=str(root))


@pytest.mark.parametrize("analytics", NOT_GIVEN)
def test_without_analytics_no_other_event_passes(workspace: Workspace, root: Path, analytics: Any) -> None:
    refused = context(analytics=analytics, marketing=True)
    done = pull(
        workspace,
        root,
        event("m1", context=refused),
        event("m2", type="page", event=None, context=refused),
        event("m3", type="identify", event=None, traits={"email": "kari@example.no"}, context=refused),
        event("m4", event="Pixel Fired", context=refused),
        event("m5", type="page", event="Request Sent", context=refused),
    )
    assert done == EventsPull(files=1, lines=5, refused_without_consent=5)
    assert landed_events(workspace) == []


@pytest.mark.parametrize("missing", ["context", "consent", "categoryPreferences"])
def test_consent_that_is_not_there_was_not_given(workspace: Workspace, root: Path, missing: str) -> None:
    without: dict[str, Any] = event("m1")
    if missing == "context":
        del without["context"]
    elif missing == "consent":
        del without["context"]["consent"]
    else:
        without["context"]["consent"] = {}
    assert pull(workspace, root, without).refused_without_consent == 1


def test_what_the_service_needs_keeps_only_that(workspace: Workspace, root: Path) -> None:
    refused = context(analytics=False, marketing=True)
    sent = {"request_id": 17, "description": "Planted"}
    checkout = {"booking_id": "42", "method": "vipps", "email": "planted@example.no"}
    done = pull(
        workspace,
        root,
        event("m1", event="Request Sent", context=refused, properties=sent, traits={"name": "Planted"}),
        event("m2", event="Checkout Started", context=refused, properties=checkout, userId=None),
    )
    assert (done.landed, done.refused_without_consent) == (2, 0)
    first, second = landed_events(workspace)
    assert json.loads(first["payload"]) == {
        "messageId": "m1",
        "type": "track",
        "event": "Request Sent",
        "userId": USER,
        "receivedAt": "2026-11-10T10:00:01.123Z",
        "properties": {"request_id": 17},
    }
    assert json.loads(second["payload"])["properties"] == {"booking_id": "42", "method": "vipps"}
    assert "userId" not in json.loads(second["payload"])
    assert [row["anonymous_id"] for row in (first, second)] == [None, None]
    assert first["user_id"] == USER
    for row in (first, second):
        assert "lanted" not in row["payload"]
        assert COOKIE not in row["payload"]


def test_nothing_is_smuggled_in_as_an_id(workspace: Workspace, root: Path) -> None:
    refused = context(analytics=False, marketing=False)
    properties = {"request_id": {"name": "Planted"}, "booking_id": ["Planted"], "method": "Planted " * 20}
    pull(workspace, root, event("m1", event="Request Sent", context=refused, properties=properties))
    (row,) = landed_events(workspace)
    assert json.loads(row["payload"])["properties"] == {}


@pytest.mark.parametrize("marketing", NOT_GIVEN)
def test_without_marketing_no_pixel_and_no_campaign(workspace: Workspace, root: Path, marketing: Any) -> None:
    refused = context(analytics=True, marketing=marketing)
    done = pull(
        workspace,
        root,
        event("m1", context=refused),
        event("m2", event="Pixel Fired", context=refused),
        event("m3", event=" pixel fired ", context=refused),
    )
    assert (done.landed, done.refused_without_consent) == (1, 2)
    (row,) = landed_events(workspace)
    kept = {key: value for key, value in refused.items() if key != "campaign" and value is not None}
    assert json.loads(row["payload"])["context"] == kept
    assert row["anonymous_id"] == COOKIE


def test_with_every_consent_the_event_passes_unchanged(workspace: Workspace, root: Path) -> None:
    whole = event("m1", event="Pixel Fired")
    pull(workspace, root, whole)
    (row,) = landed_events(workspace)
    assert json.loads(row["payload"]) == whole
