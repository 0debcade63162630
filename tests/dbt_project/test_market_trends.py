"""The market_trends marts: figures worked out by hand, and an attacker who has the published tables only."""

import ast
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from pseudonymisation.policy.private_counts import Cost, load_private_counts
from publishing.copies import publish_purpose
from publishing.market_table import FIGURES as GUARDED
from publishing.market_table import LEAST_WIDTH, P_PERCENT
from publishing.readers import open_published
from publishing.suppression import Bools, Floats, needs
from storage.contents import unknown_files
from tests.dbt_project.documented import marts, problems, undescribed
from tests.dbt_project.purpose_project import PROJECT, BuildResult, PurposeProject
from tests.publishing.attack import intervals

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
    all_categories: list[Row]
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
    assert result.succeeded, result.output
    truth = project.query(TRUTH)
    return Market(
        project=project,
        result=result,
        published=project.query("SELECT * FROM marts.agg_market_published ORDER BY ALL"),
        all_categories=project.query("SELECT NULL AS category_id, * FROM marts.agg_market_published_all ORDER BY ALL"),
        season=project.query("SELECT * FROM marts.agg_market_season ORDER BY ALL"),
        truth={key_of(row): row for row in truth},
    )


TRUTH = """
    WITH happening AS (
        SELECT category_id, coalesce(municipality, 'unknown') AS municipality, date_trunc('month', created_at)::DATE AS month_start,
            customer_id, NULL AS provider_id, 0 AS turnover_nok,
            1 AS requests, 0 AS bookings, 0 AS completed_bookings, 0 AS cancelled_bookings
        FROM src.app_db__service_request
        UNION ALL
        SELECT booking.category_id, coalesce(request.municipality, 'unknown'), date_trunc('month', booking.booked_at)::DATE,
            booking.customer_id, booking.provider_id, CASE WHEN booking.status = 'completed' THEN booking.price_nok ELSE 0 END, 0, 1,
            (booking.status = 'completed')::INTEGER, (booking.status = 'cancelled')::INTEGER
        FROM src.app_db__booking AS booking LEFT JOIN src.app_db__service_request AS request USING (request_id)
    )
    SELECT category_id, municipality, month_start,
        sum(requests) AS requests, sum(bookings) AS bookings, sum(completed_bookings) AS completed_bookings,
        sum(cancelled_bookings) AS cancelled_bookings, 0 AS searches, sum(turnover_nok) AS turnover_nok,
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
    """1: two parts too small, enough together. 2: one too small. 3: none. 4: two too small, together too. 5 to 7: few have all."""
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
    for category, prices in ((6, (50, 50, 50, 50, 5000)), (7, (50, 50, 700, 3000, 3000))):
        fill(project, category, "OSLO", MARCH, 12, 6)
        for provider, price in enumerate(prices):
            project.execute(
                f"UPDATE src.app_db__booking SET price_nok = {price}, status = 'completed' WHERE category_id = {category} "
                f"AND provider_id = md5('provider' || {provider})::UUID"
            )
        project.execute(
            f"UPDATE src.app_db__booking SET price_nok = 50 WHERE category_id = {category} "
            "AND provider_id = md5('provider' || 5)::UUID"
        )
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
    # its cancelled bookings are withheld beside the few of the other municipalities
    assert [row[figure] for figure in FIGURES] == [12, 12, 8, None, 0, 12, 6]
    assert (row["turnover_nok"], row["price_median_nok"], row["is_total"], row["suppression_reason"]) == (
        sum(500 + 50 * n for n in range(4, 12)),
        775.0,
        False,
        None,
    )
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


def test_a_total_is_withheld_when_what_is_withheld_of_it_is_of_too_few_people(market: Market) -> None:
    assert market.row(2, "all")["suppression_reason"] == "would_reveal_a_part"
    assert market.row(4, "all")["suppression_reason"] == "would_reveal_a_part"


def test_a_month_that_has_not_ended_is_not_published(market: Market) -> None:
    assert max(str(row["month_start"]) for row in market.published) < "2026-11-01"


@pytest.mark.parametrize("figure", ["bookings", "cancelled_bookings", "turnover_nok"])
@pytest.mark.parametrize("month", ["2026-03-01", "2026-06-01"])
def test_no_sensitive_cell_can_be_recovered_from_what_is_published(market: Market, figure: str, month: str) -> None:
    truth, withheld, sensitive = laid_out(market, figure, month)
    mean_price = truth[-1, -1] / laid_out(market, "completed_bookings", month)[0][-1, -1]
    width = LEAST_WIDTH * (mean_price if figure == "turnover_nok" else 1)
    up, down = needs(truth, least_width=width, protected_share=P_PERCENT / 100)
    known = intervals(truth, withheld, sensitive)
    assert len(known) > 20
    for cell, interval in known.items():
        assert interval.most >= truth[cell] + up[cell] - 1e-6, cell
        assert interval.least <= truth[cell] - down[cell] + 1e-6, cell


@pytest.mark.parametrize("month", ["2026-03-01", "2026-06-01"])
def test_the_attack_does_recover_cells_where_only_the_sensitive_ones_are_withheld(market: Market, month: str) -> None:
    truth, _, sensitive = laid_out(market, "cancelled_bookings", month)
    up, _ = needs(truth, least_width=LEAST_WIDTH, protected_share=P_PERCENT / 100)
    known = intervals(truth, sensitive, sensitive)
    assert any(interval.most < truth[cell] + up[cell] - 1e-6 for cell, interval in known.items())


def laid_out(market: Market, figure: str, month: str) -> tuple[Floats, Bools, Bools]:
    """The month's table with all totals: the truth, what is withheld of it, and the cells of too few people."""
    published = {
        (row["category_id"], row["municipality"]): row
        for row in (*market.published, *market.all_categories)
        if str(row["month_start"]) == month
    }
    categories = [*sorted({category for category, _ in published if category is not None}), None]
    places = [*sorted({place for _, place in published if place != "all"}), "all"]
    truth = np.zeros((len(categories), len(places)))
    withheld, sensitive = np.zeros(truth.shape, dtype=np.bool_), np.zeros(truth.shape, dtype=np.bool_)
    for i, category in enumerate(categories):
        for j, place in enumerate(places):
            if (category, place) not in published:
                continue
            rows = [
                row
                for (its_category, its_place, its_month), row in market.truth.items()
                if its_month == month and category in (None, its_category) and place in ("all", its_place)
            ]
            truth[i, j] = sum(row[figure] for row in rows)
            shown = published[category, place][figure]
            assert shown is None or shown == truth[i, j], (category, place)
            withheld[i, j], sensitive[i, j] = shown is None, is_small(market, rows)
    assert not (sensitive & ~withheld).any()
    return truth, withheld, sensitive


def is_small(market: Market, rows: list[Row]) -> bool:
    disclosure = market.project.policy.purposes["market_trends"]
    customers = {person for row in rows for person in row["customer_list"] or []}
    providers = {person for row in rows for person in row["provider_list"] or []}
    return len(customers) < disclosure.min_customers or len(providers) < disclosure.min_providers


def test_what_a_total_and_its_published_parts_give_is_a_group_that_could_itself_be_published(market: Market) -> None:
    parts: defaultdict[tuple[int, str], list[Row]] = defaultdict(list)
    for row in market.published:
        if not row["is_total"]:
            parts[row["category_id"], str(row["month_start"])].append(row)
    groups = 0
    for total in market.published:
        beneath = parts[total["category_id"], str(total["month_start"])]
        unknown = [key_of(row) for row in beneath if row["bookings"] is None]
        if total["is_total"] and total["bookings"] is not None and unknown:
            groups += 1
            assert not is_small(market, [market.truth[key] for key in unknown]), key_of(total)
    assert groups > 10


def test_no_published_row_is_below_the_limits_and_a_row_without_reason_is_above(market: Market) -> None:
    cells = [row for row in market.published if not row["is_total"] and row["searches"] != 3]
    kinds = set()
    for row in cells:
        truth = market.truth[key_of(row)]
        small = is_small(market, [truth])
        assert (row["suppression_reason"] == "too_few_people") == small, key_of(row)
        shown = {figure: row[figure] for figure in (*ADDITIVE, "turnover_nok") if row[figure] is not None}
        assert shown == {figure: truth[figure] for figure in shown}
        assert not (small and shown)
        kinds.add(small)
    assert kinds == {True, False}
    published = [row for row in cells if row["suppression_reason"] is None]
    assert sum(row["bookings"] is not None for row in published) > len(published) / 2


def test_providers_who_have_nearly_all_the_turnover_are_not_told(market: Market) -> None:
    row = market.row(6, "OSLO")
    assert (row["suppression_reason"], row["turnover_nok"]) == ("p_percent", None)
    row = market.row(7, "OSLO")
    assert (row["suppression_reason"], row["bookings"]) == ("dominance", None)


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
    assert {node["name"] for node in public} == {
        "agg_market_published",
        "agg_market_published_all",
        "agg_market_season",
        "dim_market_category",
        "fct_forecast",
    }
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
    assert f"'market_trends_p_percent', {P_PERCENT})" in text


def test_every_figure_that_is_published_is_guarded(market: Market) -> None:
    columns = marts(market.project.manifest(), "market_trends")["agg_market_published"]["columns"]
    assert {name for name, about in columns.items() if about["data_type"] == "bigint"} == {"category_id", *GUARDED}


def test_every_model_is_described_and_says_whose_data_it_holds(market: Market) -> None:
    assert problems(market.project.manifest(), market.project.policy, "market_trends") == []
    assert undescribed(market.project) == []


def test_every_municipality_is_in_the_register_or_unknown(market: Market) -> None:
    lines = (PROJECT / "seeds" / "postal_codes_2024_04_11.csv").read_text().splitlines()[1:]
    known = {line.split(",", 2)[2].strip('"') for line in lines} | {"unknown"}
    assert {row["municipality"] for row in market.published if not row["is_total"]} <= known
    assert {row["municipality"] for row in market.published if row["is_total"]} == {"all"}


def test_noisy_counts_are_made_of_what_was_built_and_of_large_enough_cells_only(market: Market) -> None:
    """With next to no noise, and nobody in too many cells, so that they can be compared with the rows of the sources."""
    project, policy, cost = market.project, load_private_counts(), Cost(epsilon=Decimal(200), delta=Decimal("0.0001"))
    counts = {name: replace(one, cost=cost, most_cells_per_person=20) for name, one in policy.counts.items()}
    budget = Cost(epsilon=Decimal(10_000), delta=Decimal(1))
    private = replace(policy, budget_per_year=budget, counts=counts)
    workspace = project.workspace
    publish_purpose(workspace, "market_trends", project.target / "manifest.json", private_counts=private)
    with open_published(workspace.home, workspace.keyring, "market_trends") as con:
        told = con.execute(
            "SELECT count_name, category_id, municipality, month_start, customers FROM marts.private_count"
        ).fetchall()
        months = con.execute("SELECT DISTINCT month_start FROM marts.private_count_release ORDER BY 1").fetchall()
        editions = con.execute("SELECT DISTINCT month_start FROM marts.agg_market_published").fetchall()
    assert months == [(date(2026, month, 1),) for month in range(1, 11)]
    assert set(editions) <= set(months)
    exact = {
        tuple(row.values())[:4]: (row["customers"], row["providers"]) for row in project.query(BEHIND_PRIVATE_COUNTS)
    }
    for *cell, customers in told:
        behind, providers = exact[tuple(cell)]
        assert behind >= 10
        assert providers >= 5
        assert abs(customers - behind) <= 5
    large = {cell for cell, behind in exact.items() if min(behind) >= 16 and cell[3] < date(2026, 11, 1)}
    assert len(large) >= 10
    assert large <= {tuple(cell) for *cell, _ in told}
    assert unknown_files(workspace.home, project.policy.purposes) == []


BEHIND_PRIVATE_COUNTS = """
    SELECT 'customers_requesting' AS count_name, category_id, 'all' AS municipality, date_trunc('month', created_at)::DATE AS month_start,
        count(DISTINCT customer_id) AS customers, 1000 AS providers
    FROM src.app_db__service_request GROUP BY ALL
    UNION ALL
    SELECT 'customers_booking', booking.category_id, coalesce(request.municipality, 'unknown'),
        date_trunc('month', booking.booked_at)::DATE, count(DISTINCT booking.customer_id), count(DISTINCT booking.provider_id)
    FROM src.app_db__booking AS booking LEFT JOIN src.app_db__service_request AS request USING (request_id) GROUP BY ALL
"""


def test_a_smuggled_column_fails_the_build(new_purpose: Callable[[str], PurposeProject], tmp_path: Path) -> None:
    copy = tmp_path / "project"
    shutil.copytree(PROJECT, copy)
    for mart in (copy / "models" / "market_trends" / "marts").glob("*.sql"):
        head, final = mart.read_text().rsplit("select *", 1)
        mart.write_text(f"{head}select *, 'kari' as smuggled{final}")
    project = new_purpose("market_trends")
    result = project.build("--exclude-resource-type", "unit_test", project=copy)
    assert not result.succeeded
    assert "smuggled" in result.output
    for name in marts(project.manifest(), "market_trends"):
        assert result.statuses[name] in ("error", "skipped"), name
    assert project.query("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'marts'") == []
