"""The real dashboard on a real town, looked at with a headless browser that tells of every request that it makes."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, WebSocket, expect, sync_playwright

from tests.browser.chromium import find_chromium
from tests.browser.published_town import PublishedTown, leii, published_town

START_SECONDS = 90
PATIENCE_MS = 60_000


@dataclass
class Visit:
    """A page that is open, and every address that the browser has asked for since."""

    page: Page
    base_url: str
    asked: list[str] = field(default_factory=list)

    def open(self, path: str, heading: str) -> Page:
        """Go to a page of the dashboard and wait until it has drawn itself whole."""
        self.page.goto(f"{self.base_url}/{path}")
        expect(self.page.get_by_role("heading", name=heading, exact=True, level=1)).to_be_visible()
        self.wait_until_drawn()
        return self.page

    def wait_until_drawn(self) -> None:
        expect(self.page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")

    def figure(self, key: str) -> str:
        """The value of a headline figure."""
        return self.page.locator(f".st-key-metric-{key}").get_by_test_id("stMetricValue").inner_text().strip()

    @property
    def left_the_machine(self) -> list[str]:
        return [url for url in self.asked if not _stays_here(url)]


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> PublishedTown:
    return published_town(tmp_path_factory.getbasetemp() / "published-town")


@pytest.fixture(scope="session")
def dashboard(town: PublishedTown) -> Iterator[str]:
    """The address of the dashboard, started as its users start it."""
    with running_dashboard(town.environment) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def visit(dashboard: str, browser: Browser) -> Iterator[Visit]:
    with visiting(browser, dashboard) as opened:
        yield opened


@contextmanager
def visiting(browser: Browser, address: str) -> Iterator[Visit]:
    """A fresh browser window on the dashboard at this address."""
    expect.set_options(timeout=PATIENCE_MS)
    context = browser.new_context(viewport={"width": 1440, "height": 1600})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    opened = Visit(page=page, base_url=address)

    def note(request: Request) -> None:
        opened.asked.append(request.url)

    def note_socket(socket: WebSocket) -> None:
        opened.asked.append(socket.url)

    page.on("request", note)
    page.on("websocket", note_socket)
    yield opened
    context.close()


@contextmanager
def running_dashboard(environment: dict[str, str]) -> Iterator[str]:
    """`leii dashboard` on a free port."""
    with running_viewer(environment, "dashboard", health="_stcore/health") as address:
        yield address


@contextmanager
def running_viewer(environment: dict[str, str], *command: str, health: str) -> Iterator[str]:
    """A command of `leii` that serves, on a free port, from a working directory that knows nothing of the repository."""
    port = free_port()
    process = subprocess.Popen(
        [leii(), *command, "--port", str(port)],
        env=environment,
        cwd=Path(environment["LEII_HOME"]).parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/{health}", process)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=30)


def wait_for(url: str, process: "subprocess.Popen[str]") -> None:
    """Until the address answers. Fails with the process's own words if it ends before."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"it ended with exit code {process.returncode}: {process.communicate()[0][-2000:]}")
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"nothing answered at {url} within {START_SECONDS} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _stays_here(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("data", "blob") or parts.hostname in ("127.0.0.1", "localhost")
