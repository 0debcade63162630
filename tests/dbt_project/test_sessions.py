"""Sessions, built by dbt batch by batch: late events, losses and visits that change hands give what a full build gives."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from tests.dbt_project.purpose_project import PurposeProject

pytestmark = pytest.mark.slow

Uid = Callable[[str], UUID]
SELECTED = ["stg_matching__event", "fct_session"]


def event(uid: Uid, name: str, at: str, *, account: str | None = None, visitor: str | None = None) -> dict[str, Any]:
    return {
        "event_id": uid(name),
        "account_id": uid(account) if account else None,
        "visitor_id": uid(visitor) if visitor else None,
        "is_signed_in": account is not None,
        "event_name": "Search Performed",
        "received_at": f"2026-03-{at}:00+00",
    }


def sessions(project: PurposeProject, *arguments: str) -> list[tuple[Any, ...]]:
    built = project.build("--exclude-resource-type", "unit_test", *arguments, select=SELECTED)
    assert built.ok, built.output
    return project.table("marts.fct_session")


def shape(rows: list[tuple[Any, ...]]) -> list[tuple[int, str]]:
    """Of each session the number of its events, and when it began."""
    return sorted((row[2], f"{row[9]:%d %H:%M}") for row in rows)


def test_sessions_are_right_across_batches_and_whatever_happens_to_their_events(
    new_purpose: Callable[[str], PurposeProject], uid: Uid
) -> None:
    project = new_purpose("matching")
    visits = {
        "cookie": [("a", "02 10:00"), ("b", "02 11:00"), ("c", "04 09:00")],
        "two": [("first", "03 10:00"), ("second", "03 10:30")],
        "three": [("x", "06 10:00"), ("middle", "06 10:25"), ("y", "06 10:50")],
        "other": [("other", "02 10:00")],
        "gone": [("gone", "02 10:00")],
    }
    for visitor, seen in visits.items():
        project.insert("events__event", *(event(uid, name, at, visitor=visitor) for name, at in seen), batch=1)
    assert shape(sessions(project)) == [
        *((1, "02 10:00") for _ in range(3)),
        (1, "02 11:00"),
        (1, "04 09:00"),
        (2, "03 10:00"),
        (3, "06 10:00"),
    ]
    untouched = f"UPDATE marts.fct_session SET searches = 0 WHERE person_id = '{uid('other')}'"
    project.execute(untouched)
    # a late event joins two sessions, another one goes on with the last across the border of the batches
    project.insert(
        "events__event",
        event(uid, "late", "02 10:30", visitor="cookie"),
        event(uid, "next", "04 09:25", visitor="cookie"),
        event(uid, "moved", "05 10:00", visitor="moved"),
        batch=2,
    )
    # one visitor turns out to be kari, who has come back meanwhile
    project.insert("events__event", event(uid, "signed-in", "05 10:20", account="kari", visitor="moved"), batch=3)
    project.execute(
        f"UPDATE src.events__event SET account_id = '{uid('kari')}', _batch_id = 3 WHERE visitor_id = '{uid('moved')}'",
        # what is lost leaves no batch behind: the middle of a session, a first event, and a whole person
        f"DELETE FROM src.events__event WHERE event_id IN ('{uid('middle')}', '{uid('first')}', '{uid('gone')}')",
    )
    incremental = sessions(project)
    assert shape(incremental) == [
        (1, "02 10:00"),
        (1, "03 10:30"),
        (1, "06 10:00"),
        (1, "06 10:50"),
        (2, "04 09:00"),
        (2, "05 10:00"),
        (3, "02 10:00"),
    ]
    assert [row[3] for row in incremental if row[1] == uid("other")] == [0], "nothing of this person's changed"
    project.execute(f"UPDATE marts.fct_session SET searches = 1 WHERE person_id = '{uid('other')}'")
    corrected = project.table("marts.fct_session")
    assert sessions(project, "--full-refresh") == corrected
