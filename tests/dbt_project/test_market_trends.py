"""The market_trends marts: figures worked out by hand, and an attacker who has the published tables only."""

import ast
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from tests.dbt_project.documented import marts, problems
from tests.dbt_project.purpose_project import PROJECT, BuildResult, PurposeProject

pytestmark = pytest.mark.slow

Row = dict[str, Any]
FIGURES = ("requests", "bookings", "completed_bookings", "cancelled_bookings", "searches", "customers", "providers")
ADDITIVE = FIGURES[:5]
MARCH = "2026-03"
RANDOM_CATEGORIES = range(11, 17)


@dataclass(frozen=True, kw_only=True)
class Market:
    """One build: what is published, what it was made of, and the raw contributions by SQL of the test's own."""

    project: PurposeProject
    result: BuildResult
    published: list[Row]
    season: list[Row]
    truth: Mapping[tuple[int, str, str], Row]

    def row(self, category: int, municipality: str, month: str = MARCH) -> Row:
        wanted = (category, municipality, f"{month}-01")
        return next(row for row in self.published if key_of(row) == wanted)


@pytest.fixture(scope="module")
def market(new_purpose: Callable[[str], PurposeProject]) -> Market:
    project = new_purpose("market_trends")
    project.execute(
        "INSERT INTO src.app_db__service_category (category_id, slug, name_nb, name_en, _batch_id) "
        "SELECT n, 'category_' || chr(97 + n::INTEGER), 'Kategori', 'Category', 1 FROM range(1, 20) AS numbers (n)"
    )
    fill_by_hand(project)
    fill_at_random(project)
    result = project.build()
    assert result.returncode == 0, result.output
    truth = project.query(TRUTH)
    return Market(
        project=project,
        result=result,
        published=project.query("SELECT * FROM marts.agg_market_published ORDER BY ALL"),
        season=project.query("SELECT * FROM marts.agg_market_season ORDER BY ALL"),
        truth={key_of(row): row for row in truth},
    )


TRUTH = """
    WITH happening AS (
        SELECT category_id, coalesce(municipality, 'unknown') AS municipality, date_trunc('month', created_at)::DATE AS month_start,
            customer_id, NULL AS provider_id, 1 AS requests, 0 AS bookings, 0 AS completed_bookings, 0 AS cancelled_bookings
        FROM src.app_db__service_request
        UNION ALL
        SELECT booking.category_id, coalesce(request.municipality, 'unknown'), date_trunc('month', booking.booked_at)::DATE,
            booking.customer_id, booking.provider_id, 0, 1,
            (booking.status = 'completed')::INTEGER, (booking.status = 'cancelled')::INTEGER
        FROM src.app_db__booking AS booking LEFT JOIN src.app_db__service_request AS request USING (request_id)
    )
    SELECT category_id, municipality, month_start,
        sum(requests) AS requests, sum(bookings) AS bookings, sum(completed_bookings) AS completed_bookings,
        sum(cancelled_bookings) AS cancelled_bookings, 0 AS searches,
        list(DISTINCT customer_id) FILTER (customer_id IS NOT NULL) AS customer_list,
        list(DISTINCT provider_id) FILTER (provider_id IS NOT NULL) AS provider_list
    FROM happening GROUP BY ALL
"""


def key_of(row: Row) -> tuple[int, str, str]:
    return row["category_id"], row["municipality"], str(row["month_start"])


def fill(
    project: PurposeProject,
    category: int,
    municipality: str,
    month: str,
    customers: int,
    providers: int,
    *,
    first: int = 0,
    cancelled: int = 0,
) -> None:
    """One request and one booking a customer, numbered from `first`; the providers take turns; the first are cancelled."""
    place = f"'{municipality}'" if municipality != "unknown" else "NULL"
    request = f"md5('{category}{municipality}{month}' || n)::UUID"
    people = f"FROM range({first}, {first + customers}) AS numbers (n)"
    project.execute(
        "INSERT INTO src.app_db__service_request (request_id, customer_id, category_id, municipality, status, created_at, _batch_id) "
        f"SELECT {request}, md5('customer' || n)::UUID, {category}, {place}, 'matched', '{month}-05', 1 {people}",
        "INSERT INTO src.app_db__booking (booking_id, request_id, customer_id, provider_id, category_id, price_nok, status, "
        f"booked_at, _batch_id) SELECT uuid(), {request}, md5('customer' || n)::UUID, md5('provider' || (n % {providers}))::UUID, "
        f"{category}, 500 + 50 * (n - {first}), CASE WHEN n - {first} < {cancelled} THEN 'cancelled' ELSE 'completed' END, "
        f"'{month}-06', 1 {people}",
    )


def fill_by_hand(project: PurposeProject) -> None:
    """Category 1: two parts too small, enough together. 2: one too small. 3: none. 4: two too small, together too. 5: one person."""
    fill(project, 1, "OSLO", MARCH, 12, 6, cancelled=4)
    fill(project, 1, "BERGEN", MARCH, 4, 4, first=20)
    fill(project, 1, "TRONDHEIM", MARCH, 9, 5, first=22, cancelled=2)
    fill(project, 2, "OSLO", MARCH, 12, 6)
    fill(project, 2, "BERGEN", MARCH, 4, 4, first=20)
    fill(project, 3, "OSLO", MARCH, 12, 6)
    fill(project, 3, "unknown", MARCH, 11, 5)
    fill(project, 4, "OSLO", MARCH, 12, 6)
    fill(project, 4, "BERGEN", MARCH, 4, 4, first=20)
    fill(project, 4, "TRONDHEIM", MARCH, 5, 5, first=20)
    fill(project, 5, "OSLO", MARCH, 30, 1)
    fill(project, 3, "OSLO", "2026-11", 12, 6)
    project.insert(
        "events__event",
        *(
            {
                "event_id": UUID(int=n),
                "event_name": "Search Performed",
                "category_slug": "category_e",
                "municipality": "OSLO",
                "received_at": f"{MARCH}-07",
            }
            for n in range(3)
        ),
    )


def fill_at_random(project: PurposeProject) -> None:
    """Six categories over eight municipalities and nine months, most of them near the limits."""
    project.execute(
        "SELECT setseed(0.42)",
        """
        CREATE TEMP TABLE happening AS
        SELECT uuid() AS request_id, category_id, month_start, status, n,
            ['OSLO', 'BERGEN', 'TRONDHEIM', 'STAVANGER', 'TROMSØ', 'BODØ', 'ASKER', NULL][place] AS municipality,
            md5('customer' || (floor(random() * 40) + 100 * (category_id % 3))::INTEGER)::UUID AS customer_id,
            md5('provider' || (floor(random() * 14))::INTEGER)::UUID AS provider_id
        FROM (
            SELECT category_id, place, n, (DATE '2026-01-01' + to_months(month::INTEGER))::DATE AS month_start,
                CASE WHEN random() < 0.1 THEN 'cancelled' ELSE 'completed' END AS status,
                floor(random() * random() * 40) AS size
            FROM range(11, 17) AS categories (category_id), range(1, 9) AS places (place), range(0, 9) AS months (month),
                range(0, 40) AS numbers (n)
        )
        WHERE n < hash(category_id, place, month_start) % 22
        """,
        "INSERT INTO src.app_db__service_request (request_id, customer_id, category_id, municipality, status, created_at, _batch_id) "
        "SELECT request_id, customer_id, category_id, municipality, 'matched', month_start, 1 FROM happening",
        "INSERT INTO src.app_db__booking (booking_id, request_id, customer_id, provider_id, category_id, price_nok, status, booked_at, "
        "_batch_id) SELECT uuid(), request_id, customer_id, provider_id, category_id, 500, status, month_start, 1 FROM happening "
        "WHERE n % 3 > 0",
    )


def test_a_build_passes_every_test_and_warns_of_nothing(market: Market) -> None:
    assert market.result.ok, (market.result.failed(), market.result.output)


def test_figures_of_a_municipality_are_those_worked_out_by_hand(market: Market) -> None:
    row = market.row(1, "OSLO")
    assert [row[figure] for figure in FIGURES] == [12, 12, 8, 4, 0, 12, 6]
    assert (row["price_median_nok"], row["is_total"], row["suppression_reason"]) == (775.0, False, None)
    assert market.row(4, "OSLO")["searches"] == 3
    assert market.row(3, "unknown")["customers"] == 11


def test_a_cell_of_too_few_people_has_no_figure(market: Market) -> None:
    withheld = [market.row(1, "BERGEN"), market.row(1, "TRONDHEIM"), market.row(5, "OSLO"), market.row(5, "all")]
    for row in withheld:
        assert row["suppression_reason"] == "too_few_people"
        assert {row[figure] for figure in (*FIGURES, "price_median_nok")} == {None}


def test_a_total_counts_people_once_and_is_published_when_the_withheld_parts_are_enough_together(
    market: Market,
) -> None:
    total = market.row(1, "all")
    # 12 customers in Oslo, 4 in Bergen and 9 in Trondheim, of whom 2 are in both; 6 providers in all
    assert (total["suppression_reason"], total["requests"], total["bookings"]) == (None, 25, 25)
    assert (total["customers"], total["providers"]) == (23, 6)
    assert market.row(3, "all")["requests"] == 23


def test_a_figure_of_a_total_is_withheld_when_little_of_it_is_in_the_withheld_parts(market: Market) -> None:
    total = market.row(1, "all")
    assert (total["completed_bookings"], total["cancelled_bookings"], total["searches"]) == (19, None, None)


def test_a_total_that_would_give_its_parts_away_is_withheld(market: Market) -> None:
    assert market.row(2, "all")["suppression_reason"] == "would_reveal_a_part"
    assert market.row(4, "all")["suppression_reason"] == "would_reveal_a_part"


def test_a_month_that_has_not_ended_is_not_published(market: Market) -> None:
    assert max(str(row["month_start"]) for row in market.published) < "2026-11-01"


def test_differencing_derives_no_withheld_figure(market: Market) -> None:
    """All published totals together are a system of equations in the withheld figures: none of these may be determined."""
    for figure in ADDITIVE:
        system = equations(market.published, figure)
        if not system:
            continue
        unknowns = sorted({key for parts, _ in system for key in parts})
        matrix = np.zeros((len(system), len(unknowns)))
        for row, (parts, rest) in enumerate(system):
            matrix[row, [unknowns.index(key) for key in parts]] = 1
            # no figure is negative, so each part lies between 0 and the rest: that range must stay wide too
            assert rest >= 3, (figure, parts, rest)
        _, sizes, directions = np.linalg.svd(matrix)
        free = directions[int(np.sum(sizes > 1e-9)) :]
        determined = [key for key, freedom in zip(unknowns, np.abs(free).max(axis=0), strict=True) if freedom < 1e-9]
        assert determined == [], figure
    assert len(equations(market.published, "bookings")) > 10


def test_what_differencing_does_give_is_a_group_that_could_itself_be_published(market: Market) -> None:
    disclosure = market.project.policy.purposes["market_trends"]
    groups = {tuple(unknown) for figure in ADDITIVE for unknown, _ in equations(market.published, figure)}
    assert groups
    for group in groups:
        customers = {person for key in group for person in market.truth[key]["customer_list"] or []}
        providers = {person for key in group for person in market.truth[key]["provider_list"] or []}
        assert len(customers) >= disclosure.min_customers, group
        assert len(providers) >= disclosure.min_providers, group


def equations(published: list[Row], figure: str) -> list[tuple[list[tuple[int, str, str]], int]]:
    """For each published total with withheld parts: the parts, and what they add up to."""
    parts: defaultdict[tuple[int, str], list[Row]] = defaultdict(list)
    for row in published:
        if not row["is_total"]:
            parts[row["category_id"], str(row["month_start"])].append(row)
    found = []
    for total in published:
        if not total["is_total"] or total[figure] is None:
            continue
        beneath = parts[total["category_id"], str(total["month_start"])]
        unknown = [key_of(row) for row in beneath if row[figure] is None]
        if unknown:
            found.append((unknown, total[figure] - sum(row[figure] or 0 for row in beneath)))
    return found


def test_no_published_row_is_below_the_limits_and_all_others_are_withheld(market: Market) -> None:
    disclosure = market.project.policy.purposes["market_trends"]
    cells = [row for row in market.published if not row["is_total"] and row["searches"] != 3]
    kinds = set()
    for row in cells:
        truth = market.truth[key_of(row)]
        customers, providers = len(truth["customer_list"] or []), len(truth["provider_list"] or [])
        is_small = customers < disclosure.min_customers or providers < disclosure.min_providers
        assert (row["suppression_reason"] is not None) == is_small, key_of(row)
        if not is_small:
            assert {figure: row[figure] for figure in ADDITIVE} == {figure: truth[figure] for figure in ADDITIVE}
            assert (row["customers"], row["providers"]) == (customers, providers)
        kinds.add(is_small)
    assert kinds == {True, False}


def test_the_season_is_made_of_published_totals_and_so_adds_nothing_to_them(market: Market) -> None:
    months = sorted({str(row["month_start"]) for row in market.published})
    totals = {(row["category_id"], str(row["month_start"])): row for row in market.published if row["is_total"]}
    first = {category: min(month for c, month in totals if c == category) for category, _ in totals}
    for category in first:
        observed: defaultdict[int, list[float]] = defaultdict(list)
        for month in (month for month in months if month >= first[category]):
            value = totals[category, month]["bookings"] if (category, month) in totals else 0
            if value is not None:
                observed[int(month[5:7])].append(value)
        means = {month: float(np.mean(values)) for month, values in observed.items()}
        overall = float(np.mean(list(means.values()))) if means else 0.0
        expected = {month: mean / overall for month, mean in means.items() if overall}
        found = {
            row["calendar_month"]: row["booking_index"]
            for row in market.season
            if row["category_id"] == category and row["booking_index"] is not None
        }
        assert found == pytest.approx(expected)
    assert any(row["category_id"] in RANDOM_CATEGORIES for row in market.season)


def test_nobody_is_in_what_is_published(market: Market) -> None:
    public = list(marts(market.project.manifest(), "market_trends").values())
    assert {node["name"] for node in public} == {"agg_market_published", "agg_market_season", "dim_market_category"}
    for node in public:
        assert node["access"] == "public"
        assert not any(column["meta"].get("subject") for column in node["columns"].values())
        types = market.project.query(
            f"SELECT DISTINCT data_type FROM duckdb_columns() WHERE schema_name = 'marts' AND table_name = '{node['name']}'"
        )
        assert "UUID" not in {row["data_type"] for row in types}


def test_the_limits_are_the_policys(market: Market) -> None:
    text = (PROJECT / "macros" / "disclosure.sql").read_text()
    match = re.search(r"set policy = (\{.*?\n    \})", text, re.DOTALL)
    assert match
    limits = ast.literal_eval(match.group(1))
    assert limits
    for purpose, numbers in limits.items():
        policy = market.project.policy.purposes[purpose]
        assert numbers == {"min_customers": policy.min_customers, "min_providers": policy.min_providers}


def test_every_model_is_described_and_says_whose_data_it_holds(market: Market) -> None:
    assert problems(market.project.manifest(), market.project.policy, "market_trends") == []


def test_every_municipality_is_in_the_register_or_unknown(market: Market) -> None:
    lines = (PROJECT / "seeds" / "postal_codes_2024_04_11.csv").read_text().splitlines()[1:]
    known = {line.split(",", 2)[2].strip('"') for line in lines} | {"unknown"}
    assert {row["municipality"] for row in market.published if not row["is_total"]} <= known
    assert {row["municipality"] for row in market.published if row["is_total"]} == {"all"}


def test_a_smuggled_column_fails_the_build(new_purpose: Callable[[str], PurposeProject], tmp_path: Path) -> None:
    copy = tmp_path / "project"
    shutil.copytree(PROJECT, copy)
    for mart in (copy / "models" / "market_trends" / "marts").glob("*.sql"):
        head, final = mart.read_text().rsplit("select *", 1)
        mart.write_text(f"{head}select *, 'kari' as smuggled{final}")
    project = new_purpose("market_trends")
    result = project.build("--exclude-resource-type", "unit_test", project=copy)
    assert result.returncode != 0
    assert "smuggled" in result.output
    for name in marts(project.manifest(), "market_trends"):
        assert result.statuses[name] in ("error", "skipped"), name
    assert project.query("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'marts'") == []
