"""A notebook as `leii notebook` serves it, in the browser of somebody who only reads."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import running_viewer, visiting
from tests.browser.published_town import PublishedTown

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

HEADINGS = {
    "accounting": "Do the books agree?",
    "fraud": "What the rules find",
    "market_trends": "Seasons and prices",
    "matching": "Where supply is missing",
}
CHARTS = {"accounting": 1, "fraud": 2, "market_trends": 2, "matching": 2}


@pytest.mark.parametrize("purpose", HEADINGS)
def test_a_notebook_is_drawn_whole_and_nothing_leaves_the_machine(
    purpose: str, town: PublishedTown, browser: Browser
) -> None:
    with (
        running_viewer(town.environment, "notebook", purpose, health="health") as address,
        visiting(browser, address) as visit,
    ):
        visit.page.goto(address)
        expect(visit.page.get_by_role("heading", name=HEADINGS[purpose], exact=True)).to_be_visible()
        expect(visit.page.locator("canvas.marks, svg.marks")).to_have_count(CHARTS[purpose])
        expect(visit.page.locator("table.gt_table").first).to_be_visible()
        expect(visit.page.get_by_text("Open in Vega Editor")).to_have_count(0)
        text = visit.page.inner_text("body")
        assert "Traceback" not in text
        assert "An internal error occurred" not in text
        assert visit.left_the_machine == []
