"""Every notebook runs from end to end on published copies, offline; and what it reads there says each figure once."""

import subprocess
import sys
from pathlib import Path

import pytest

from pseudonymisation.policy.reading import load_policy
from publishing.metrics.reading import find_metric
from tests.browser.published_town import PublishedTown, published_town

ROOT = Path(__file__).parents[2]
DAY = "category_id, municipality, day"
NOTEBOOKS = sorted(path.relative_to(ROOT) for path in (ROOT / "notebooks").glob("*/*.py"))


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> PublishedTown:
    return published_town(tmp_path_factory.getbasetemp() / "published-town")


def test_each_purpose_has_a_notebook() -> None:
    assert {path.parts[1] for path in NOTEBOOKS} >= set(load_policy().purposes)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=str)
def test_a_notebook_runs_as_a_script(notebook: Path, town: PublishedTown, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / notebook)],
        env=town.environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=str)
def test_a_notebook_opens_its_own_purpose_and_no_other(notebook: Path) -> None:
    text = (ROOT / notebook).read_text()
    assert f'open_published_copy("{notebook.parts[1]}")' in text
    assert text.count("open_published_copy(") == 1


def test_marimo_finds_nothing_to_say() -> None:
    command = [str(Path(sys.executable).with_name("marimo")), "check", "--strict", "notebooks"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("metric", "keys", "mart", "column"),
    [
        ("fill_rate", DAY, "agg_liquidity", "fill_rate"),
        ("requests_per_open_slot", DAY, "agg_liquidity", "requests_per_open_slot"),
        ("zero_result_share", DAY, "agg_unmet_need", "zero_result_share"),
        ("unfilled_share", DAY, "agg_unmet_need", "unfilled_share"),
        ("time_to_first_response_median", DAY, "agg_liquidity", "median_minutes_to_first_response"),
        ("time_to_first_response_p90", DAY, "agg_liquidity", "p90_minutes_to_first_response"),
        ("time_to_match_median", DAY, "agg_liquidity", "median_minutes_to_match"),
        ("utilisation", "provider_id, hour_start", "fct_provider_capacity_hour", "utilisation"),
        ("take_rate", "cohort_month, month_start", "agg_unit_economics", "take_rate"),
        ("acceptance_rate", "provider_id", "dim_provider", "acceptance"),
    ],
)
def test_a_metric_at_the_grain_of_a_mart_is_the_marts_own_figure(
    town: PublishedTown, metric: str, keys: str, mart: str, column: str
) -> None:
    """A metric sums up what a mart has by the cell; where both say the same figure they must not say two things."""
    _, about = find_metric(metric)
    day = ", CAST(requested_at AS DATE) AS day" if about.mart == "fct_request" and "day" in keys else ""
    found = town.query(
        "matching",
        f"""
        WITH cells AS (
            SELECT {keys}, {about.sql} AS value FROM (SELECT *{day} FROM marts.{about.mart}) GROUP BY {keys}
        )
        SELECT count(value) AS figures,
            count(*) FILTER (value IS DISTINCT FROM {column} AND NOT coalesce(abs(value - {column}) < 1e-9, FALSE)) AS others
        FROM cells JOIN (SELECT {keys}, {column} FROM marts.{mart}) USING ({keys})
        """,
    ).row(0, named=True)
    assert found["figures"] > 0
    assert found["others"] == 0
