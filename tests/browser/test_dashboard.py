"""Each page of the dashboard, as somebody sees it in a browser, held against the published marts."""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from orchestration.dbt_runs import fresh_manifest
from publishing.copies import publish_purpose
from storage import attached
from storage.keyring import load_or_create
from tests.browser.conftest import Visit, running_dashboard, visiting
from tests.browser.published_town import PublishedTown

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PAGES = {"market": ("", "The market"), "matching": ("matching", "Matching"), "fraud": ("fraud", "Fraud"),
         "privacy": ("privacy", "Privacy")}  # fmt: skip
CHARTS = "[class*=st-key-chart-]"
TROUBLE = ("Traceback", "Error:", "Exception", "This app has encountered an error")


def published_requests(town: PublishedTown) -> str:
    """Requests of the last twelve months that are published, over all categories and municipalities."""
    return _number(
        town,
        "market_trends",
        """
        SELECT sum(requests) FROM marts.agg_market_published, (SELECT max(month_start) AS newest FROM marts.agg_market_published)
        WHERE is_total AND month_start > newest - INTERVAL 12 MONTH
        """,
    )


def requests_of_twelve_weeks(town: PublishedTown, of_these: str = "TRUE") -> str:
    """Requests of the last twelve weeks that had ended when the copy was built, from the rows behind the liquidity mart."""
    return _number(
        town,
        "matching",
        f"""
        WITH newest AS (
            SELECT max(date_trunc('week', requested_at)) AS week_start FROM marts.fct_request, about
            WHERE date_trunc('week', requested_at) <= CAST(built_at AS DATE) - 7
        )
        SELECT count(*) FROM marts.fct_request, newest
        WHERE requested_at < week_start + INTERVAL 7 DAY AND requested_at >= week_start - INTERVAL 77 DAY AND ({of_these})
        """,
    )


def unfilled_of_twelve_weeks(town: PublishedTown) -> str:
    """Of the same requests, those that expired or were cancelled and have no booking that stands."""
    return requests_of_twelve_weeks(town, "request_status IN ('expired', 'cancelled') AND NOT is_filled")


def flags(town: PublishedTown) -> str:
    return _number(town, "fraud", "SELECT count(*) FROM marts.fct_flag WHERE status IN ('active', 'contested')")


def certificates(town: PublishedTown) -> str:
    return f"{len(list(town.home.certificates.glob('*-*.json'))):,}"


@pytest.mark.parametrize(
    ("page", "figure", "truth"),
    [
        ("market", "market-requests", published_requests),
        ("matching", "matching-requests", requests_of_twelve_weeks),
        ("matching", "matching-unfilled", unfilled_of_twelve_weeks),
        ("fraud", "fraud-flags", flags),
        ("privacy", "privacy-certificates", certificates),
    ],
)
def test_a_page_shows_what_is_published_and_nothing_leaves_the_machine(
    visit: Visit, town: PublishedTown, page: str, figure: str, truth: Callable[[PublishedTown], str]
) -> None:
    shown = visit.open(*PAGES[page])
    assert visit.figure(figure) == truth(town) != "0"
    assert visit.asked
    assert visit.left_the_machine == []
    text = shown.inner_text("body")
    assert [word for word in TROUBLE if word in text] == []


def test_every_chart_has_been_drawn_and_described(visit: Visit) -> None:
    for page, charts in (("market", 3), ("matching", 6), ("fraud", 3)):
        shown = visit.open(*PAGES[page])
        expect(shown.locator(f"{CHARTS} svg.marks")).to_have_count(charts)
        for chart in shown.locator(f"{CHARTS} [role=graphics-document]").all():
            assert len(chart.get_attribute("aria-label") or "") > 20


def test_no_headline_figure_and_no_label_of_one_is_cut_off_on_a_narrow_screen(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 1300, "height": 1000})
    for page in ("market", "matching", "fraud"):
        shown = visit.open(*PAGES[page])
        shown.locator("[data-testid=stMetricValue]").first.wait_for()
        cut_off = """
            [...document.querySelectorAll('[data-testid=stMetricValue] *, [data-testid=stMetricLabel] *')]
                .filter(one => one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0).map(one => one.innerText)
        """
        assert shown.evaluate(cut_off) == []


def test_the_market_page_shows_the_newest_forecast_of_a_category(visit: Visit, town: PublishedTown) -> None:
    weeks = int(
        town.query(
            "market_trends",
            """
            WITH cleaning AS (
                FROM marts.fct_forecast JOIN marts.dim_market_category AS category USING (category_id)
                WHERE category.name_en = 'Cleaning' AND municipality = 'all' AND model = 'smoothing'
            )
            SELECT count(*) FROM cleaning WHERE origin_week_start = (SELECT max(origin_week_start) FROM cleaning)
            """,
        ).item()
    )
    shown = visit.open(*PAGES["market"])
    shown.get_by_role("combobox", name="Category").click()
    shown.get_by_role("option", name="Cleaning", exact=True).click()
    chart = shown.locator(".st-key-chart-market-forecast")
    expect(chart.locator("svg.marks")).to_be_visible()
    expect(chart.locator("svg.marks .mark-symbol path[aria-roledescription=point]")).to_have_count(weeks)
    assert weeks > 0


def test_a_page_is_not_blank(visit: Visit) -> None:
    shown = visit.open(*PAGES["matching"])
    expect(shown.locator(f"{CHARTS} svg.marks").first).to_be_visible()
    picture = Image.open(io.BytesIO(shown.screenshot())).convert("RGB").resize((360, 400))
    colours = picture.getcolors(maxcolors=1_000_000) or []
    most = max(count for count, _ in colours)
    assert len(colours) > 200
    assert most < 0.95 * picture.width * picture.height


def test_the_market_page_follows_the_chosen_category(visit: Visit, town: PublishedTown) -> None:
    shown = visit.open(*PAGES["market"])
    everything = visit.figure("market-bookings")
    shown.get_by_role("combobox", name="Category").click()
    shown.get_by_role("option", name="Cleaning", exact=True).click()
    truth = _number(
        town,
        "market_trends",
        """
        SELECT sum(bookings) FROM marts.agg_market_published JOIN marts.dim_market_category AS category USING (category_id),
            (SELECT max(month_start) AS newest FROM marts.agg_market_published)
        WHERE is_total AND month_start > newest - INTERVAL 12 MONTH AND category.name_en = 'Cleaning'
        """,
    )
    assert truth != everything
    value = shown.locator(".st-key-metric-market-bookings").get_by_test_id("stMetricValue")
    expect(value).to_have_text(truth)
    expect(shown.get_by_text("Sums of published figures only")).to_be_visible()


def test_the_fraud_page_says_that_a_person_decides_and_shows_no_whole_pseudonym(
    visit: Visit, town: PublishedTown
) -> None:
    received: list[bytes] = []
    visit.page.on(
        "websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(_as_bytes(frame)))
    )
    shown = visit.open(*PAGES["fraud"])
    expect(shown.get_by_text("A person decides.")).to_be_visible()
    everything = b"".join(received)
    accounts = town.query(
        "fraud",
        "SELECT account_id::VARCHAR AS id, flag_id FROM marts.fct_flag WHERE status IN ('active', 'contested')",
    )
    assert all(account[:8].encode() in everything for account in accounts["id"])
    assert [account for account in accounts["id"] if account.encode() in everything] == []
    assert [flag for flag in accounts["flag_id"] if flag.removeprefix("flag_").encode() in everything] == []


def test_the_privacy_officer_verifies_the_certificates(visit: Visit, town: PublishedTown) -> None:
    shown = visit.open(*PAGES["privacy"])
    shown.get_by_role("button", name="Verify every certificate").click()
    expect(shown.get_by_text(f"{certificates(town)} certificates verified")).to_be_visible()
    assert visit.left_the_machine == []


def test_a_new_version_is_shown_without_a_restart_or_a_click(visit: Visit, town: PublishedTown) -> None:
    shown = visit.open(*PAGES["fraud"])
    before = flags(town)
    assert visit.figure("fraud-flags") == before
    workspace, key = town.workspace, town.keyring.purpose_key("fraud", "warehouse")
    with workspace.connect() as con, attached(con, town.home.warehouse_file("fraud"), "warehouse", key):
        con.execute(
            "DELETE FROM warehouse.marts.fct_flag WHERE flag_id = "
            "(SELECT min(flag_id) FROM warehouse.marts.fct_flag WHERE status IN ('active', 'contested'))"
        )
    publish_purpose(workspace, "fraud", fresh_manifest(town.home))
    after = flags(town)
    assert int(after) == int(before) - 1
    value = shown.locator(".st-key-metric-fraud-flags").get_by_test_id("stMetricValue")
    expect(value).to_have_text(after)


def test_with_one_purposes_key_only_that_page_opens(town: PublishedTown, browser: Browser) -> None:
    name = "published:fraud"
    keyring = json.dumps({"keys": {name: base64.b64encode(town.keyring.secrets[name]).decode()}})
    with (
        running_dashboard({**town.environment, "LEII_KEYRING": keyring}) as address,
        visiting(browser, address) as visit,
    ):
        visit.open(*PAGES["fraud"])
        assert visit.figure("fraud-flags") == flags(town)
        for page, purpose in (("market", "market_trends"), ("matching", "matching")):
            shown = visit.open(*PAGES[page])
            expect(shown.get_by_text(f"the keyring has no key 'published:{purpose}'")).to_be_visible()
            expect(shown.locator("[data-testid=stMetric]")).to_have_count(0)


def test_before_the_first_run_a_page_says_what_to_do(tmp_path: Path, town: PublishedTown, browser: Browser) -> None:
    home = tmp_path / "home"
    load_or_create(home / "keyring.json", ["matching", "fraud", "market_trends", "accounting"])
    with (
        running_dashboard({**town.environment, "LEII_HOME": str(home)}) as address,
        visiting(browser, address) as visit,
    ):
        for page in ("market", "matching", "fraud"):
            shown = visit.open(*PAGES[page])
            expect(shown.get_by_text("The figures appear here once a run has published them:")).to_be_visible()
            expect(shown.get_by_test_id("stCode")).to_have_text("leii run")
            assert "Traceback" not in shown.inner_text("body")
        shown = visit.open(*PAGES["privacy"])
        expect(shown.get_by_text("No erasure has been carried to its certificate yet.")).to_be_visible()
        assert visit.figure("privacy-requests") == "unknown"


def _number(town: PublishedTown, purpose: str, sql: str) -> str:
    return f"{int(town.query(purpose, sql).item()):,}"


def _as_bytes(frame: str | bytes) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame
