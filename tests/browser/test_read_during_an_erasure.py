"""A dashboard and a notebook that are open while somebody is erased: they go on, on the new copy, and the old one is gone."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.running_world import RunningWorld, run_of
from publishing.readers import open_published
from tests.browser.conftest import running_dashboard, running_viewer, visiting
from tests.integration.conftest import copied_town
from tests.integration.histories import candidates, enter_request
from tests.integration.known_people import rows_of
from tests.integration.passes import app, one_pass

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ASKERS = """
select account_id::text from app.account as account where not is_provider
  and not exists (select from app.booking where customer_id = account_id or provider_id = account_id)
  and not exists (select from app.account_ban as ban where ban.account_id = account.account_id)
  and exists (select from app.service_request as request where request.customer_id = account_id
              and created_at between %(now)s - interval '60 days' and %(now)s - interval '14 days')
order by 1 limit 5
"""
REQUESTS = """
WITH cell AS (SELECT requests, CAST(date_trunc('week', day) AS DATE) AS week_start FROM marts.agg_liquidity),
newest AS (
    SELECT max(week_start) AS week_start FROM cell, about WHERE requests > 0 AND week_start <= CAST(built_at AS DATE) - 7
)
SELECT sum(requests) FROM cell, newest
WHERE cell.week_start <= newest.week_start AND cell.week_start > newest.week_start - INTERVAL 84 DAY
"""
PROVIDERS = "SELECT count(*) FROM marts.dim_provider"
DRAWN = "Requests left unfilled, by category"


@pytest.fixture(scope="module")
def world(shared_folder: Path) -> Iterator[RunningWorld]:
    """Large enough for some week and category to have three customers, below which the dashboard shows no figure."""
    with copied_town(shared_folder) as town:
        yield town.running


def published(world: RunningWorld, sql: str) -> str:
    with open_published(world.home, world.workspace.keyring.for_readers(["matching"]), "matching") as con:
        return f"{int((con.execute(sql).fetchone() or (0,))[0]):,}"


def cases(world: RunningWorld) -> Counter[tuple[Any, ...]]:
    """How many erasures are in which state, and blocked by what."""
    return Counter(rows_of(run_of(world).workspace, "SELECT state, blocked_by FROM vault.erasure"))


def versions_open(world: RunningWorld) -> set[str]:
    """Copies that any process has open now, those that have no name any more among them."""
    folder = str(world.home.root / "published")
    links: set[str] = set()
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            links.add(str(descriptor.readlink()))
        except OSError:
            continue
    return {link for link in links if link.startswith(folder)}


def provider_rows(page: Page) -> str:
    """What the notebook says of the size of one of its tables."""
    expect(page.get_by_text(DRAWN)).to_be_visible()
    found = re.search(r"dim_provider\s+([\d,]+)", page.inner_text("body"))
    assert found, page.inner_text("body")[:500]
    return found.group(1)


def test_a_dashboard_and_a_notebook_go_on_with_the_new_copy_and_the_old_one_is_gone(
    world: RunningWorld, browser: Browser
) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEII_")}
    environment = {**kept, "LEII_HOME": str(world.home.root), "LEII_NOW": world.now.isoformat()}
    before, providers_before = published(world, REQUESTS), published(world, PROVIDERS)
    cases_before = cases(world)
    old = set((world.home.root / "published").rglob("2*.duckdb"))
    with (
        running_dashboard(environment) as dashboard,
        running_viewer(environment, "notebook", "matching", health="health") as notebook,
        visiting(browser, dashboard) as visit,
        visiting(browser, notebook) as reading,
    ):
        shown = visit.open("matching", "Matching")
        reading.page.goto(notebook)
        assert (visit.figure("matching-requests"), provider_rows(reading.page)) == (before, providers_before)
        assert versions_open(world)
        askers = [row[0] for row in app(world, ASKERS, {"now": world.now})]
        provider = candidates(world, "pair")[0][1]
        for account_id in (*askers, provider):
            enter_request(world, account_id)
        one_pass(world)
        after, providers_after = published(world, REQUESTS), published(world, PROVIDERS)
        assert after != before
        assert providers_after != providers_before
        value = shown.locator(".st-key-metric-matching-requests").get_by_test_id("stMetricValue")
        expect(value).to_have_text(after)
        reading.page.reload()
        assert provider_rows(reading.page) == providers_after
        for page in (shown, reading.page):
            assert [word for word in ("Traceback", "Error:", "internal error") if word in page.inner_text("body")] == []
        assert cases(world) == cases_before + Counter({("certified", None): len(askers) + 1})
        assert not any(path.exists() for path in old)
        assert not [path for path in versions_open(world) if any(str(one) in path for one in old)]
