import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from demo.postgres import DemoPostgres
from ingestion.event_fields import EventField, EventFields
from ingestion.events import EventsPull, pull_events, read_refusals
from ingestion.landing import open_landing
from storage import Workspace
from tests.ingestion.event_lines import COOKIE, USER, WANTED, context, event, landed_events, write_file

NOT_GIVEN = [False, None, "true", 1, {"granted": True}]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "events"


def pull(workspace: Workspace, root: Path, *lines: dict[str, Any]) -> EventsPull:
    write_file(root, lines)
    with open_landing(workspace) as landing:
        return pull_events(workspace, landing, root=str(root), wanted=WANTED)


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
    assert json.loads(second["payload"])["properties"] == {"booking_id": "42"}
    assert "userId" not in json.loads(second["payload"])
    assert [row["anonymous_id"] for row in (first, second)] == [None, None]
    assert first["user_id"] == USER
    for row in (first, second):
        assert "lanted" not in row["payload"]
        assert COOKIE not in row["payload"]


def test_nothing_is_smuggled_in_as_an_id(workspace: Workspace, root: Path) -> None:
    refused = context(analytics=False, marketing=False)
    properties = {"request_id": {"name": "Planted"}, "booking_id": "Planted " * 20, "method": "Planted"}
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
    assert "autumn" not in row["payload"]
    assert row["anonymous_id"] == COOKIE


def test_with_every_consent_the_event_passes_unchanged(workspace: Workspace, root: Path) -> None:
    write_file(root, [event("m1", event="Pixel Fired")])
    wanted = EventFields(kept=(EventField(path="context.campaign.name", type="text"),))
    with open_landing(workspace) as landing:
        pull_events(workspace, landing, root=str(root), wanted=wanted)
    (row,) = landed_events(workspace)
    assert json.loads(row["payload"])["context"] == {"campaign": {"name": "autumn"}}
    assert row["anonymous_id"] == COOKIE


def record(app_db: DemoPostgres, number: int, granted: bool, at: str, purpose: str, **who: str) -> None:
    with psycopg.connect(app_db.admin_dsn) as connection:
        connection.execute(
            "insert into app.consent values (%s, %s, %s, %s, %s, %s, 'profile')",
            [number, who.get("account_id"), who.get("anonymous_id"), purpose, granted, at],
        )


def pull_with_records(workspace: Workspace, root: Path, app_db: DemoPostgres, *lines: dict[str, Any]) -> list[str]:
    write_file(root, lines)
    with open_landing(workspace) as landing:
        pull_events(
            workspace, landing, root=str(root), wanted=WANTED, refusals=lambda: read_refusals(app_db.pipeline_dsn)
        )
    return [row["message_id"] for row in landed_events(workspace)]


def at(hour: int) -> str:
    return f"2026-11-10T{hour:02}:00:00Z"


@pytest.fixture
def known(app_db: DemoPostgres) -> DemoPostgres:
    with psycopg.connect(app_db.admin_dsn) as connection:
        connection.execute(
            "insert into app.account (account_id, created_at, updated_at, full_name, email) "
            "values (%s, now(), now(), 'Kari', 'kari@example.no')",
            [USER],
        )
    return app_db


def test_the_apps_newest_record_at_the_time_of_receipt_counts(
    workspace: Workspace, root: Path, known: DemoPostgres
) -> None:
    for number, (hour, granted) in enumerate([(8, True), (10, False), (10, True), (12, False), (14, True)]):
        record(known, number, granted, at(hour), "analytics_cookies", account_id=USER)
    record(known, 90, False, at(1), "marketing", account_id=USER)
    record(known, 91, False, at(1), "personalisation", account_id=USER)
    landed = pull_with_records(
        workspace, root, known,
        *(event(f"at-{hour}", receivedAt=at(hour)) for hour in (7, 9, 10, 11, 12, 13, 14, 15)),
        event("request", event="Request Sent", receivedAt=at(13), properties={"request_id": 5}),
        event("unsaid", receivedAt=at(9), context=context(analytics=False, marketing=True)),
    )  # fmt: skip
    assert landed == ["at-10", "at-11", "at-14", "at-15", "at-7", "at-9", "request"]
    request = next(row for row in landed_events(workspace) if row["message_id"] == "request")
    assert (request["anonymous_id"], json.loads(request["payload"])["properties"]) == (None, {"request_id": 5})


def test_a_record_of_the_cookie_counts_as_well_and_nobody_elses(
    workspace: Workspace, root: Path, known: DemoPostgres
) -> None:
    record(known, 1, False, at(1), "analytics_cookies", anonymous_id=COOKIE)
    record(known, 2, False, at(1), "marketing_cookies", anonymous_id="other-cookie")
    landed = pull_with_records(
        workspace, root, known,
        event("refused", userId=None),
        event("refused-signed-in"),
        event("other", anonymousId="other-cookie"),
        event("others-pixel", anonymousId="other-cookie", event="Pixel Fired"),
        event("third", anonymousId="third-cookie", event="Pixel Fired"),
    )  # fmt: skip
    assert landed == ["other", "third"]


PIXEL = {"event": "Pixel Fired", "properties": {"pixel": "facebook"}}


@pytest.mark.parametrize(
    ("switches", "own", "pixel"),
    [
        ({}, True, True),
        ({"All": True}, True, True),
        ({"Amplitude": False}, True, True),
        ({"Facebook Pixel": False}, True, False),
        ({"facebook-pixel": False, "All": True}, True, False),
        ({"All": False}, False, False),
        ({"all": False, "Leii": True}, True, False),
        ({"All": False, "Facebook Pixel": {"value": 1}, "Leii": True}, True, True),
        ({"Leii": False}, False, False),
        ({"Facebook Pixel": None}, True, True),
        (None, True, True),
        ("none", True, True),
    ],
)
def test_a_tool_that_is_switched_off_gets_nothing(
    workspace: Workspace, root: Path, switches: Any, own: bool, pixel: bool
) -> None:
    pull(workspace, root, event("own", integrations=switches), event("pixel", integrations=switches, **PIXEL))
    landed = [row["message_id"] for row in landed_events(workspace)]
    assert landed == [name for name, passes in (("own", own), ("pixel", pixel)) if passes]


def test_a_switch_that_stands_twice_is_off_if_one_of_them_is(workspace: Workspace, root: Path) -> None:
    line = json.dumps(event("m1", integrations={"Leii": True, "x": 1})).replace('"x": 1', '"Leii": false')
    write_file(root, [line, event("m2")])
    with open_landing(workspace) as landing:
        done = pull_events(workspace, landing, root=str(root), wanted=WANTED)
    assert (done.landed, done.refused_without_consent) == (1, 1)


def test_a_pixel_without_a_name_passes_only_if_no_tool_is_switched_off(workspace: Workspace, root: Path) -> None:
    unnamed = {"event": "Pixel Fired", "integrations": {"Amplitude": False}}
    assert pull(workspace, root, event("m1", **unnamed)).refused_without_consent == 1
