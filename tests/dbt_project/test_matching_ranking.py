"""The ranking's features are as of the request: what comes later changes none of them. Real dbt, real learning."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from tests.dbt_project.purpose_project import PurposeProject

pytestmark = pytest.mark.slow

Uid = Callable[[str], UUID]
FIRST = datetime(2026, 3, 2, 8, tzinfo=UTC)
REQUESTS = 60
PROVIDERS = 6
OPEN = ("open-1", "open-2")


@dataclass(frozen=True, kw_only=True)
class Story:
    """A market of sixty requests, and the same with everything that came after it."""

    before: list[dict[str, Any]]
    after: list[dict[str, Any]]
    weights: Mapping[str, dict[str, Any]]
    ranking: list[dict[str, Any]]


@pytest.fixture(scope="module")
def story(new_purpose: Callable[[str], PurposeProject], uid: Uid) -> Story:
    project = new_purpose("matching")
    open_market(project, uid)
    trade(project, uid, "r", FIRST, REQUESTS)
    ask(project, uid)
    build(project)
    before = project.query("SELECT * FROM marts.fct_rank_training ORDER BY candidate_id")
    weights = {row["feature"]: row for row in project.query("SELECT * FROM marts.dim_ranking_weight")}
    ranking = project.query("SELECT * FROM marts.fct_provider_ranking ORDER BY request_id, ranking_position")
    trade(project, uid, "later", FIRST + timedelta(hours=8 * REQUESTS), 20)
    build(project)
    after = project.query("SELECT * FROM marts.fct_rank_training ORDER BY candidate_id")
    return Story(before=before, after=after, weights=weights, ranking=ranking)


def build(project: PurposeProject) -> None:
    result = project.build("--exclude-resource-type", "unit_test")
    assert result.succeeded, (result.failed(), result.output[-3000:])


def open_market(project: PurposeProject, uid: Uid) -> None:
    project.insert(
        "app_db__service_category",
        {"category_id": 1, "slug": "cleaning", "name_nb": "Rengjøring", "name_en": "Cleaning"},
    )
    for number in range(PROVIDERS):
        project.insert(
            "app_db__account",
            {"account_id": uid(f"p{number}"), "municipality": "OSLO", "is_provider": True, "status": "active",
             "latitude": 59.9 + number / 10, "longitude": 10.8, "created_at": "2026-01-01"},
        )  # fmt: skip
        project.insert(
            "app_db__provider_profile", {"account_id": uid(f"p{number}"), "radius_km": 50, "published_at": "2026-01-02"}
        )
        project.insert(
            "app_db__service_offer",
            {"offer_id": uid(f"o{number}"), "provider_id": uid(f"p{number}"), "category_id": 1, "price_nok": 300 + 10 * number,
             "is_active": True},
        )  # fmt: skip


def request_row(uid: Uid, name: str, customer: str, status: str, at: datetime) -> dict[str, Any]:
    return {
        "request_id": uid(name), "customer_id": uid(customer), "category_id": 1, "municipality": "OSLO", "status": status,
        "latitude": 59.9, "longitude": 10.8, "created_at": at,
    }  # fmt: skip


def trade(project: PurposeProject, uid: Uid, name: str, start: datetime, count: int) -> None:
    """Requests one after the other, each shown to three of five providers, of whom the nearest is booked and reviewed."""
    rng = np.random.default_rng(len(name))
    requests, candidates, bookings, reviews, slots, events = [], [], [], [], [], []
    for number in range(count):
        request, at = f"{name}{number}", start + timedelta(hours=8 * number)
        customer = f"customer{number % 7}"
        requests.append(request_row(uid, request, customer, "matched", at))
        shown = sorted(rng.choice(PROVIDERS - 1, 3, replace=False).tolist())
        for position, provider in enumerate(shown):
            answers = position < 2
            candidates.append(
                {"_row_key": uid(f"{request}-{provider}"), "request_id": uid(request), "provider_id": uid(f"p{provider}"),
                 "rank_position": position + 1, "price_nok": int(rng.integers(20, 60)) * 10, "shown_at": at + timedelta(minutes=5),
                 "responded_at": at + timedelta(minutes=int(rng.integers(2, 40)) * 5) if answers else None,
                 "response": ("accepted", "declined", "expired")[position]}
            )  # fmt: skip
        taken = f"p{shown[0]}"
        bookings.append(
            {"booking_id": uid(f"b-{request}"), "request_id": uid(request), "customer_id": uid(customer),
             "provider_id": uid(taken), "category_id": 1, "starts_at": at + timedelta(days=2), "price_nok": 500,
             "ends_at": at + timedelta(days=2, hours=2), "status": "completed", "booked_at": at + timedelta(hours=4),
             "completed_at": at + timedelta(days=2, hours=2)}
        )  # fmt: skip
        reviews.append(
            {
                "review_id": uid(f"v-{request}"),
                "subject_id": uid(taken),
                "rating": 5 - shown[0],
                "created_at": (at + timedelta(days=3)).date(),
            }
        )
        slots.append(
            {"slot_id": uid(f"s-{request}"), "provider_id": uid(taken), "state": "open", "starts_at": at + timedelta(minutes=30),
             "ends_at": at + timedelta(hours=3)}
        )  # fmt: skip
        events.append(
            {"event_id": uid(f"e-{request}"), "event_name": "Provider Viewed", "account_id": uid(customer),
             "provider_id": uid(f"p{shown[2]}"), "received_at": at + timedelta(minutes=20)}
        )  # fmt: skip
    for table, rows in {"service_request": requests, "request_candidate": candidates, "booking": bookings}.items():
        project.insert(f"app_db__{table}", *rows, batch=1 if name == "r" else 2)
    for table, rows in {"app_db__review": reviews, "app_db__availability_slot": slots, "events__event": events}.items():
        project.insert(table, *rows, batch=1 if name == "r" else 2)


def ask(project: PurposeProject, uid: Uid) -> None:
    """Two requests that wait for somebody; the second one has been shown to a provider far off."""
    at = FIRST + timedelta(hours=8 * REQUESTS - 1)
    project.insert("app_db__service_request", *(request_row(uid, name, "customer1", "open", at) for name in OPEN))
    project.insert(
        "app_db__request_candidate",
        {"_row_key": uid("open-2-p0"), "request_id": uid("open-2"), "provider_id": uid("p0"), "rank_position": 1,
         "price_nok": 250, "shown_at": at + timedelta(minutes=5), "response": "pending"},
    )  # fmt: skip


def test_what_comes_later_changes_no_earlier_feature(story: Story) -> None:
    later = {row["candidate_id"]: row for row in story.after}
    assert len(story.before) == 3 * REQUESTS
    assert len(story.after) == 3 * (REQUESTS + 20)
    for row in story.before:
        assert later[row["candidate_id"]] == row


def test_the_features_say_something(story: Story) -> None:
    for name in (
        "price_z",
        "shrunk_rating",
        "response_minutes",
        "acceptance",
        "free_slots",
        "pair_bookings",
        "distance_km",
    ):
        assert len({row[name] for row in story.before}) > 3, name
    first = min(story.before, key=lambda row: row["requested_at"])
    assert (first["shrunk_rating"], first["acceptance"], first["price_z"], first["provider_requests"]) == (
        None,
        None,
        None,
        0,
    )


def test_labels_are_booked_declined_and_clicked(story: Story) -> None:
    assert {(row["outcome"], row["label"]) for row in story.before} == {
        ("booked", 1.0),
        ("declined", -0.4),
        ("clicked", 0.01),
    }


def test_the_weights_are_learnt_and_point_the_right_way(story: Story) -> None:
    assert {row["is_learnt"] for row in story.weights.values()} == {True}
    assert {row["requests"] for row in story.weights.values()} == {REQUESTS}
    assert story.weights["distance"]["weight"] < -0.5  # the nearest was always booked


def test_an_open_request_has_its_providers_in_order_with_reasons_that_add_up(story: Story, uid: Uid) -> None:
    for request in OPEN:
        rows = [row for row in story.ranking if row["request_id"] == uid(request)]
        assert [row["ranking_position"] for row in rows] == list(range(1, len(rows) + 1))
        assert len(rows) == PROVIDERS
        for row in rows:
            reasons = json.loads(row["reasons"])
            assert sum(reason["contribution"] for reason in reasons) == pytest.approx(row["score"], abs=1e-6)
            assert {reason["feature"] for reason in reasons} == set(story.weights)
            parts = [abs(reason["contribution"]) for reason in reasons]
            assert parts == sorted(parts, reverse=True)


def test_a_newcomer_stands_at_the_fifth_place_at_the_latest(story: Story, uid: Uid) -> None:
    for request in OPEN:
        (newcomer,) = [row for row in story.ranking if row["request_id"] == uid(request) and row["is_newcomer"]]
        assert newcomer["provider_id"] == uid("p5")
        assert newcomer["ranking_position"] <= 5
