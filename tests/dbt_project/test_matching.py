"""The matching marts, built by dbt from rows made by hand: figures worked out by hand, and increments equal to a full build."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.dbt_project.documented import marts, problems, undescribed
from tests.dbt_project.purpose_project import PROJECT, BuildResult, PurposeProject

pytestmark = pytest.mark.slow

Uid = Callable[[str], UUID]
Tables = Mapping[str, list[tuple[Any, ...]]]
SEARCH = "Search Performed"


@dataclass(frozen=True, kw_only=True)
class Story:
    """One marketplace through three builds: whole, after news and losses, and whole again from the same sources."""

    project: PurposeProject
    first: BuildResult
    figures: Mapping[str, list[dict[str, Any]]]
    second: BuildResult
    incremental: Tables
    untouched_rank: int
    untouched_day: float
    full: Tables


@pytest.fixture(scope="module")
def story(new_purpose: Callable[[str], PurposeProject], uid: Uid) -> Story:
    project = new_purpose("matching")
    open_marketplace(project, uid)
    first = project.build()
    assert first.succeeded, first.output
    figures = {
        name: project.query(f"SELECT * FROM marts.{name} ORDER BY ALL")
        for name in marts(project.manifest(), "matching")
    }
    go_on(project, uid)
    second = project.build("--exclude-resource-type", "unit_test")
    assert second.succeeded, second.output
    untouched = f"candidate_id = '{uid('r4-cia')}'"
    untouched_rank = project.query(f"SELECT rank_position FROM marts.fct_request_funnel WHERE {untouched}")[0]
    project.execute(f"UPDATE marts.fct_request_funnel SET rank_position = 3 WHERE {untouched}")
    (untouched_day,) = project.query(
        "SELECT p90_minutes_to_match AS p90 FROM marts.agg_liquidity WHERE day = '2026-03-20'"
    )
    project.execute("UPDATE marts.agg_liquidity SET p90_minutes_to_match = NULL WHERE day = '2026-03-20'")
    incremental = project.tables(("intermediate", "marts"))
    third = project.build("--full-refresh", "--exclude-resource-type", "unit_test")
    assert third.succeeded, third.output
    return Story(
        project=project,
        first=first,
        figures=figures,
        second=second,
        incremental=incremental,
        untouched_rank=untouched_rank["rank_position"],
        untouched_day=untouched_day["p90"],
        full=project.tables(("intermediate", "marts")),
    )


def open_marketplace(project: PurposeProject, uid: Uid) -> None:
    """Two categories, three providers, three customers, four requests and one whose customer is erased."""
    project.insert(
        "app_db__service_category",
        {"category_id": 1, "slug": "cleaning", "name_nb": "Rengjøring", "name_en": "Cleaning"},
        {"category_id": 2, "slug": "moving", "name_nb": "Flytting", "name_en": "Moving"},
    )
    account = {"status": "active", "created_at": "2026-01-01"}
    project.insert(
        "app_db__account",
        {"account_id": uid("kari"), "municipality": "OSLO", "is_provider": False, **account},
        {"account_id": uid("anna"), "municipality": "OSLO", "is_provider": True, **account},
        {"account_id": uid("bo"), "municipality": None, "is_provider": True, **account},
        {"account_id": uid("cia"), "municipality": "BERGEN", "is_provider": True, **account},
    )
    project.insert(
        "app_db__provider_profile",
        {"account_id": uid("anna"), "bio_length": 120, "skill_count": 4, "radius_km": 15, "published_at": "2026-01-02"},
    )
    project.insert(
        "app_db__service_offer",
        {"offer_id": uid("o1"), "provider_id": uid("anna"), "category_id": 1, "is_active": True},
        {"offer_id": uid("o2"), "provider_id": uid("anna"), "category_id": 2, "is_active": True},
        {"offer_id": uid("o3"), "provider_id": uid("bo"), "category_id": 1, "is_active": True},
        {"offer_id": uid("o4"), "provider_id": uid("cia"), "category_id": 1, "is_active": False},
    )
    for number, (provider, state, day, hours) in enumerate(
        [
            ("anna", "open", 2, 2),
            ("anna", "open", 3, 2),
            ("anna", "booked", 4, 3),
            ("bo", "open", 4, 1),
            ("bo", "blocked", 5, 8),
        ]
    ):
        project.insert(
            "app_db__availability_slot",
            {
                "slot_id": uid(f"slot{number}"),
                "provider_id": uid(provider),
                "state": state,
                "starts_at": f"2026-03-0{day} 08:00:00+00",
                "ends_at": f"2026-03-0{day} {8 + hours:02}:00:00+00",
            },
        )
    demand(project, uid)
    jobs(project, uid)


def demand(project: PurposeProject, uid: Uid) -> None:
    for request, customer, category, municipality, moment in [
        ("r1", "kari", 1, "OSLO", "2026-03-02 09:00:00+00"),
        ("r2", "per", 1, "OSLO", "2026-03-03 10:00:00+00"),
        ("r3", "ola", 2, None, "2026-03-08 23:55:00+00"),
        ("r4", "kari", 1, "OSLO", "2026-03-09 00:00:00+00"),
    ]:
        project.insert("app_db__service_request", request_row(uid, request, customer, category, municipality, moment))
    for request, provider, response, shown, responded, rank in [
        ("r1", "anna", "accepted", "2026-03-02 09:05:00+00", "2026-03-02 09:30:00+00", 1),
        ("r1", "bo", "declined", "2026-03-02 09:05:00+00", "2026-03-02 09:20:00+00", 2),
        ("r2", "anna", "expired", "2026-03-03 10:00:00+00", None, 1),
        ("r2", "bo", "pending", "2026-03-03 10:00:00+00", None, 2),
        ("r3", "anna", "accepted", "2026-03-09 00:00:00+00", "2026-03-09 00:30:00+00", 1),
        ("r4", "cia", "pending", "2026-03-09 00:05:00+00", None, 3),
        ("erased", "anna", "declined", "2026-03-01 10:00:00+00", "2026-03-01 10:05:00+00", 1),
    ]:
        project.insert(
            "app_db__request_candidate", candidate_row(uid, request, provider, response, shown, responded, rank)
        )
    for name, event, slug, municipality, day, account in [
        ("e1", SEARCH, "cleaning", "OSLO", "2026-03-04", None),
        ("e2", SEARCH, "cleaning", "OSLO", "2026-03-04", "kari"),
        ("e3", "Provider Viewed", "cleaning", "OSLO", "2026-03-04", None),
        ("e4", SEARCH, None, "OSLO", "2026-03-04", None),
        ("e5", SEARCH, "moving", "OSLO", "2026-03-20", None),
        ("e6", SEARCH, "cleaning", "OSLO", "2026-03-01", "kari"),
    ]:
        project.insert(
            "events__event",
            {
                "event_id": uid(name),
                "event_name": event,
                "category_slug": slug,
                "municipality": municipality,
                "account_id": uid(account) if account else None,
                "result_count": 0 if name == "e5" else 3,
                "received_at": f"{day} 12:00:00+00",
            },
        )


def jobs(project: PurposeProject, uid: Uid) -> None:
    project.insert(
        "app_db__booking",
        booking_row(uid, "b1", "r1", "kari", "anna", 1, "completed"),
        booking_row(uid, "b3", "r3", "ola", "anna", 2, "cancelled"),
        booking_row(uid, "b4", None, None, "bo", 1, "completed"),
    )
    project.insert(
        "stripe__charge",
        charge_row(uid, "b1", 120_000, 20_000, "2026-03-10"),
        charge_row(uid, "b3", 60_000, 60_000, "2026-04-10"),
        charge_row(uid, "b4", 50_000, 0, "2026-04-11"),
    )
    project.insert(
        "app_db__review",
        {"review_id": uid("v1"), "subject_id": uid("anna"), "rating": 5},
        {"review_id": uid("v2"), "subject_id": uid("anna"), "rating": 4},
        {"review_id": uid("v3"), "subject_id": uid("bo"), "rating": 2},
        {"review_id": uid("v4"), "subject_id": uid("kari"), "rating": 1},
    )


def request_row(
    uid: Uid, request: str, customer: str, category: int, municipality: str | None, at: str
) -> dict[str, Any]:
    return {
        "request_id": uid(request),
        "customer_id": uid(customer),
        "category_id": category,
        "municipality": municipality,
        "status": "open",
        "created_at": at,
    }


def candidate_row(
    uid: Uid, request: str, provider: str, response: str, shown: str, responded: str | None, rank: int
) -> dict[str, Any]:
    return {
        "_row_key": uid(f"{request}-{provider}"),
        "request_id": uid(request),
        "provider_id": uid(provider),
        "rank_position": rank,
        "price_nok": 500,
        "shown_at": shown,
        "responded_at": responded,
        "response": response,
    }


def booking_row(
    uid: Uid, booking: str, request: str | None, customer: str | None, provider: str, category: int, status: str
) -> dict[str, Any]:
    return {
        "booking_id": uid(booking),
        "request_id": uid(request) if request else None,
        "customer_id": uid(customer) if customer else None,
        "provider_id": uid(provider),
        "category_id": category,
        "starts_at": "2026-03-10 08:00:00+00",
        "ends_at": "2026-03-10 10:30:00+00",
        "price_nok": 1200,
        "status": status,
        "cancelled_by": "customer" if status == "cancelled" else None,
        "booked_at": "2026-03-09 20:00:00+00",
        "completed_at": "2026-03-10 10:30:00+00" if status == "completed" else None,
    }


def charge_row(uid: Uid, booking: str, captured: int, refunded: int, day: str) -> dict[str, Any]:
    return {
        "booking_id": uid(booking),
        "amount_captured": captured,
        "amount_refunded": refunded,
        "application_fee_amount": captured // 10,
        "created_at": day,
    }


def go_on(project: PurposeProject, uid: Uid) -> None:
    """News, and what an erasure detaches, come in batches of their own; a deleted row leaves no batch behind."""
    project.execute(
        f"DELETE FROM src.app_db__service_request WHERE request_id = '{uid('r1')}'",
        f"DELETE FROM src.app_db__request_candidate WHERE _row_key = '{uid('r2-anna')}'",
        # deleted outright in the app
        f"DELETE FROM src.app_db__booking WHERE booking_id IN ('{uid('b1')}', '{uid('b4')}')",
        # the customer of r3 is erased
        f"DELETE FROM src.app_db__service_request WHERE customer_id = '{uid('ola')}'",
        f"UPDATE src.app_db__booking SET customer_id = NULL, request_id = NULL, _batch_id = 5 WHERE customer_id = '{uid('ola')}'",
        # so is a provider
        *(
            f"DELETE FROM src.app_db__{table} WHERE {column} = '{uid('bo')}'"
            for table, column in [
                ("account", "account_id"),
                ("service_offer", "provider_id"),
                ("availability_slot", "provider_id"),
                ("request_candidate", "provider_id"),
                ("review", "subject_id"),
            ]
        ),
        # nothing of this row changed: an incremental build must leave it alone
        f"UPDATE marts.fct_request_funnel SET rank_position = 99 WHERE candidate_id = '{uid('r4-cia')}'",
        # nothing of this day did
        "UPDATE marts.agg_liquidity SET p90_minutes_to_match = 99 WHERE day = '2026-03-20'",
    )
    project.insert(
        "app_db__service_request", request_row(uid, "r1", "kari", 1, "BERGEN", "2026-03-02 09:00:00+00"), batch=2
    )
    shown = "2026-03-03 10:00:00+00"
    project.insert(
        "app_db__request_candidate",
        candidate_row(uid, "r2", "anna", "accepted", shown, "2026-03-03 11:00:00+00", 1),
        candidate_row(uid, "r4", "anna", "pending", "2026-03-09 00:05:00+00", None, 1),
        batch=3,
    )
    project.insert("app_db__booking", booking_row(uid, "b5", "r2", "per", "anna", 1, "booked"), batch=4)


def test_a_build_passes_every_test_and_warns_of_nothing(story: Story) -> None:
    assert story.first.ok, (story.first.failed(), story.first.output)
    assert story.second.ok, story.second.output


def test_funnel_says_how_far_each_request_came_with_each_provider(story: Story, uid: Uid) -> None:
    rows = {row["candidate_id"]: row for row in story.figures["fct_request_funnel"]}
    assert len(rows) == 7
    accepted = rows[uid("r1-anna")]
    assert (accepted["minutes_to_first_response"], accepted["booking_count"], accepted["municipality"]) == (
        25,
        1,
        "OSLO",
    )
    assert accepted["is_accepted"]
    assert accepted["is_booked"]
    assert accepted["is_completed"]
    assert rows[uid("r1-bo")]["is_declined"]
    assert not rows[uid("r1-bo")]["is_booked"]
    assert rows[uid("r2-anna")]["is_expired"]
    assert rows[uid("r2-anna")]["minutes_to_first_response"] is None
    assert rows[uid("r3-anna")]["is_booked"]
    assert not rows[uid("r3-anna")]["is_completed"]
    orphan = rows[uid("erased-anna")]
    assert orphan["is_declined"]
    assert (orphan["category_id"], orphan["requested_at"]) == (None, None)


def test_booking_has_the_place_of_its_request(story: Story, uid: Uid) -> None:
    rows = {row["booking_id"]: row for row in story.figures["fct_booking"]}
    assert [(rows[uid(b)]["municipality"], rows[uid(b)]["lead_minutes"]) for b in ("b1", "b3", "b4")] == [
        ("OSLO", 720),
        (None, 720),
        (None, 720),
    ]
    assert rows[uid("b1")]["duration_minutes"] == 150


def test_capacity_is_counted_by_the_hour(story: Story, uid: Uid) -> None:
    rows = story.figures["fct_provider_capacity_hour"]
    hours = [(row["open_minutes"], row["booked_minutes"]) for row in rows if row["provider_id"] == uid("anna")]
    assert sorted(hours) == [(0, 60)] * 3 + [(60, 0)] * 4
    assert [row["utilisation"] for row in rows if row["provider_id"] == uid("bo")] == [0.0]
    assert uid("cia") not in {row["provider_id"] for row in rows}


def test_a_request_says_how_far_it_came(story: Story, uid: Uid) -> None:
    rows = {row["request_id"]: row for row in story.figures["fct_request"]}
    seen = ("minutes_to_first_response", "minutes_to_match", "is_matched", "is_filled")
    assert [tuple(rows[uid(r)][name] for name in seen) for r in ("r1", "r2", "r3")] == [
        (20, 10_740, True, True),
        (None, None, False, False),
        (35, 1_205, True, False),
    ]


def test_a_search_leads_to_the_first_request_within_a_week(story: Story, uid: Uid) -> None:
    rows = {row["search_id"]: row for row in story.figures["fct_search"]}
    assert rows.keys() == {uid(e) for e in ("e1", "e2", "e4", "e5", "e6")}
    assert [(rows[uid(e)]["request_id"], rows[uid(e)]["is_filled"]) for e in ("e1", "e2", "e6")] == [
        (None, False),
        (uid("r4"), False),
        (uid("r1"), True),
    ]
    assert [rows[uid(e)]["is_zero_result"] for e in ("e1", "e5")] == [False, True]


def test_liquidity_sets_requests_against_open_slots(story: Story) -> None:
    figures = {
        (row["category_id"], row["municipality"], str(row["day"])): (
            *(row["searches"], row["search_to_fill"], row["requests"], row["customers"], row["responded_requests"]),
            *(row["fill_rate"], row["median_minutes_to_first_response"], row["median_minutes_to_match"]),
            *(row["open_slots"], row["cancelled_by_customer"], row["health_quadrant"]),
        )
        for row in story.figures["agg_liquidity"]
    }
    assert figures == {
        (1, "OSLO", "2026-03-01"): (1, 1.0, 0, 0, 0, None, None, None, 0, 0, None),
        (1, "OSLO", "2026-03-02"): (0, None, 1, 1, 1, 1.0, 20.0, 10_740.0, 1, 0, "healthy"),
        (1, "OSLO", "2026-03-03"): (0, None, 1, 1, 0, 0.0, None, None, 1, 0, "mismatch"),
        (1, "OSLO", "2026-03-04"): (2, 0.0, 0, 0, 0, None, None, None, 0, 0, None),
        (1, "unknown", "2026-03-04"): (0, None, 0, 0, 0, None, None, None, 1, 0, None),
        (2, "OSLO", "2026-03-02"): (0, None, 0, 0, 0, None, None, None, 1, 0, None),
        (2, "OSLO", "2026-03-03"): (0, None, 0, 0, 0, None, None, None, 1, 0, None),
        (2, "unknown", "2026-03-08"): (0, None, 1, 1, 1, 0.0, 35.0, 1_205.0, 0, 0, "short_of_supply"),
        (1, "OSLO", "2026-03-09"): (0, None, 1, 1, 0, 0.0, None, None, 0, 0, "short_of_supply"),
        (2, "unknown", "2026-03-09"): (0, None, 0, 0, 0, None, None, None, 0, 1, None),
        (2, "OSLO", "2026-03-20"): (1, None, 0, 0, 0, None, None, None, 0, 0, None),
    }


def test_days_and_hours_of_the_week_add_up_to_the_same(story: Story) -> None:
    for name in ("searches", "requests", "filled_requests", "open_slots", "cancelled_by_customer"):
        by_day, by_hour = (sum(row[name] for row in story.figures[t]) for t in ("agg_liquidity", "agg_liquidity_hour"))
        assert by_day == by_hour > 0, name


def test_unmet_need_counts_searches_in_vain(story: Story) -> None:
    found = {(row["category_id"], str(row["day"])): row for row in story.figures["agg_unmet_need"]}
    assert (found[(2, "2026-03-20")]["zero_result_searches"], found[(2, "2026-03-20")]["zero_result_share"]) == (1, 1.0)
    assert found[(1, "2026-03-02")]["unfilled_requests"] == 0


def test_unit_economics_nets_refunds(story: Story) -> None:
    rows = {str(row["month_start"]): row for row in story.figures["agg_unit_economics"] if row["cohort_month"]}
    assert float(rows["2026-03-01"]["gmv_nok"]) == 1_000.0
    assert rows["2026-03-01"]["take_rate"] == pytest.approx(0.12)
    assert (float(rows["2026-04-01"]["gmv_nok"]), rows["2026-04-01"]["take_rate"]) == (0.0, None)


def test_ratings_are_drawn_to_the_mean_of_all_providers(story: Story, uid: Uid) -> None:
    rows = {row["provider_id"]: row for row in story.figures["dim_provider"]}
    mean = 11 / 3
    assert rows.keys() == {uid("anna"), uid("bo"), uid("cia")}
    assert rows[uid("anna")]["shrunk_rating"] == pytest.approx((5 * mean + 9) / 7)
    assert rows[uid("bo")]["shrunk_rating"] == pytest.approx((5 * mean + 2) / 6)
    assert (rows[uid("cia")]["shrunk_rating"], rows[uid("cia")]["reviews"]) == (pytest.approx(mean), 0)
    assert (rows[uid("anna")]["bookings"], rows[uid("anna")]["active_categories"]) == (2, 2)
    assert rows[uid("bo")]["municipality"] == "unknown"


def test_categories_count_what_can_be_booked(story: Story) -> None:
    rows = {
        row["category_slug"]: (row["active_offers"], row["active_providers"]) for row in story.figures["dim_category"]
    }
    assert rows == {"cleaning": (2, 2), "moving": (1, 1)}


def test_an_incremental_build_leaves_what_a_full_build_of_the_same_sources_gives(story: Story) -> None:
    assert story.incremental.keys() == story.full.keys()
    for name, rows in story.full.items():
        assert story.incremental[name] == rows, name


def test_an_incremental_build_leaves_rows_alone_whose_inputs_did_not_change(story: Story) -> None:
    assert story.untouched_rank == 99
    assert story.untouched_day == 99


def test_an_erased_person_is_in_no_table_after_an_incremental_build(story: Story, uid: Uid) -> None:
    everything = {value for rows in story.incremental.values() for row in rows for value in row}
    assert uid("anna") in everything
    assert uid("ola") not in everything
    assert uid("bo") not in everything


def test_every_model_is_described_and_says_whose_data_it_holds(story: Story) -> None:
    assert problems(story.project.manifest(), story.project.policy, "matching") == []
    assert undescribed(story.project) == []


def test_every_municipality_is_in_the_register_or_unknown(story: Story) -> None:
    known = register_of_municipalities() | {"unknown", None}
    for table in ("fct_request_funnel", "fct_booking", "fct_request", "agg_liquidity", "dim_provider"):
        assert {row["municipality"] for row in story.figures[table]} <= known, table


def register_of_municipalities() -> set[str]:
    lines = (PROJECT / "seeds" / "postal_codes_2024_04_11.csv").read_text().splitlines()[1:]
    return {line.split(",", 2)[2].strip('"') for line in lines}


def test_a_smuggled_column_fails_the_build(new_purpose: Callable[[str], PurposeProject], tmp_path: Path) -> None:
    copy = tmp_path / "project"
    shutil.copytree(PROJECT, copy)
    for mart in (copy / "models" / "matching" / "marts").glob("*.sql"):
        head, final = mart.read_text().rsplit("select *", 1)
        mart.write_text(f"{head}select *, 'kari' as smuggled{final}")
    project = new_purpose("matching")
    result = project.build("--exclude-resource-type", "unit_test", project=copy)
    assert not result.succeeded
    assert "smuggled" in result.output
    assert "contract" in result.output
    for name in marts(project.manifest(), "matching"):
        assert result.statuses[name] in ("error", "skipped"), name
    assert project.query("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'marts'") == []
