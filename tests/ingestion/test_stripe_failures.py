import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import stripe

from demo.stripe_cli import StripeDouble
from ingestion.landing import Landing, open_landing
from ingestion.quarantine import Quarantine
from ingestion.stripe_cursors import SOURCE
from ingestion.stripe_sync import pull_stripe
from storage import Workspace
from tests.ingestion.stripe_market import (
    EXAMPLES,
    PROVIDERS,
    Market,
    landed,
    living,
    play_on,
    served,
    show,
    small_market,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return small_market(tmp_path / "stripe")


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Market, StripeDouble]]:
    """One market and its double for all the tests that only read it."""
    market = small_market(tmp_path_factory.mktemp("stripe"))
    with served(market) as double:
        yield market, double


@pytest.fixture
def landing(workspace: Workspace) -> Iterator[Landing]:
    with open_landing(workspace) as opened:
        yield opened


@pytest.mark.parametrize(
    "faults",
    [
        {"error_rate": 0.15, "cut_rate": 0.05, "duplicate_rate": 0.3, "reorder": True},
        {"rate_limit": 12},
    ],
    ids=[
        "errors, cut answers, doubled and shuffled events",
        "a limit below the one we keep to",
    ],
)
def test_faults_on_the_way_leave_the_same_end_state(
    market: Market,
    workspace: Workspace,
    landing: Landing,
    workspace_at: Callable[[datetime], Workspace],
    faults: dict[str, float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.05)
    with served(market, **faults) as double:
        assert pull_stripe(workspace, landing, api_key=double.api_key, api_base=double.base_url).errors == {}
        assert landed(workspace, landing) == market.truth()
        play_on(market)
        show(market, double)
        later = workspace_at(datetime.fromtimestamp(market.now, UTC))
        assert pull_stripe(later, landing, api_key=double.api_key, api_base=double.base_url).errors == {}
        assert living(landed(workspace, landing)) == market.truth()


def test_changes_and_deletions_in_the_middle_of_a_troubled_pass_are_there_after_the_next_one(
    market: Market,
    workspace: Workspace,
    landing: Landing,
    workspace_at: Callable[[datetime], Workspace],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """5xx, 429, broken answers, events twice and out of order, and everything changes while the first pass reads."""
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.05)
    asked: Counter[str] = Counter()
    lock = threading.Lock()
    faults = {"error_rate": 0.1, "cut_rate": 0.05, "duplicate_rate": 0.3, "reorder": True, "rate_limit": 20}

    with served(market, **faults) as double:

        def go_on(path: str) -> None:
            with lock:
                asked[path] += 1
                if path == "/v1/charges" and asked[path] == 2:
                    play_on(market)
                    show(market, double)

        with gateway(double, {}, before=go_on) as address:
            first = pull_stripe(workspace, landing, api_key=double.api_key, api_base=address)
            assert first.errors == {}
            assert asked["/v1/charges"] > 2, "it went on after the change"
            later = workspace_at(datetime.fromtimestamp(market.now, UTC))
            assert pull_stripe(later, landing, api_key=double.api_key, api_base=address).errors == {}
    state, truth = landed(workspace, landing), market.truth()
    assert state["account"][PROVIDERS[2]][2], "it went in the middle: of its own objects those are there that were read"
    for table, rows in living(state).items():
        in_reach = {key: row for key, row in truth[table].items() if row[0] != PROVIDERS[2]}
        assert {key: row for key, row in rows.items() if row[0] != PROVIDERS[2]} == in_reach, table
        assert rows.keys() <= truth[table].keys(), table


PULL_IN_SMALL_PORTIONS = """
import sys
from pathlib import Path
from ingestion import stripe_backfill
from ingestion.landing import open_landing
from ingestion.stripe_sync import pull_stripe
from tests.ingestion.conftest import make_workspace

stripe_backfill.PORTION_ROWS = 100
stripe_backfill.PORTION_ACCOUNTS = 1
workspace = make_workspace(Path(sys.argv[1]))
with open_landing(workspace) as landing:
    types = ["charge", "payout", "transfer"]
    pull_stripe(workspace, landing, api_key=sys.argv[2], api_base=sys.argv[3], types=types)
"""


def test_killed_in_the_middle_of_the_first_pass_the_next_one_goes_on_from_there(
    market: Market, workspace: Workspace
) -> None:
    with served(market, latency_ms=100) as double:
        register = workspace.home.landing / "register.sqlite"
        running = subprocess.Popen(
            [
                sys.executable,
                "-c",
                PULL_IN_SMALL_PORTIONS,
                str(workspace.home.root),
                double.api_key,
                double.base_url,
            ],
            cwd=ROOT,
        )
        try:
            _wait_until(lambda: _portions_of_charges(register) > 0)
        finally:
            running.send_signal(signal.SIGKILL)
            running.wait()
        with open_landing(workspace) as landing:
            halfway = landing.cursor(SOURCE, "charge")
            assert halfway["windows"]
            before = landed(workspace, landing)["charge"]
            result = pull_stripe(workspace, landing, api_key=double.api_key, api_base=double.base_url)
            assert result.errors == {}
            assert result.types["charge"].rows < 230
            assert len(before) + result.types["charge"].rows >= 230
            assert landed(workspace, landing) == market.truth()
            assert landing.cursor(SOURCE, "charge")["is_whole"]


def _portions_of_charges(register: Path) -> int:
    if not register.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{register}?mode=ro", uri=True) as con:
            return int(con.execute("select count(*) from batch where table_name = 'charge'").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def _wait_until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "nothing landed"
        time.sleep(0.005)


def test_a_wrong_key_stops_every_type_in_clear_words_that_do_not_show_it(
    unchanged: tuple[Market, StripeDouble], workspace: Workspace, landing: Landing
) -> None:
    address = unchanged[1].base_url
    result = pull_stripe(workspace, landing, api_key="sk_test_wrong_key_of_ours", api_base=address)
    assert len(result.errors) == 19
    for message in result.errors.values():
        assert "Stripe refused the key (401): check LEII_STRIPE_API_KEY" in message
        assert "wrong_key" not in message
    assert landing.pending("test") == []


def test_a_restricted_key_and_a_type_out_of_order_stop_those_types_alone(
    market: Market, workspace: Workspace, landing: Landing
) -> None:
    with served(market, denied=["dispute", "person"], failing=["review"]) as double:
        result = pull_stripe(workspace, landing, api_key=double.api_key, api_base=double.base_url, network_retries=1)
    advice = "give it read permission for that resource in Stripe's dashboard"
    assert {table: error.partition(" [")[0] for table, error in result.errors.items()} == {
        "dispute": f"the key may not read /v1/disputes (403): {advice}",
        "person": f"the key may not read /v1/accounts/{{id}}/persons (403): {advice}",
        "review": "/v1/reviews answered 503 on each of 2 tries: run again later",
    }
    assert landed(workspace, landing) == market.truth() | {table: {} for table in result.errors}
    with served(market) as double:
        assert pull_stripe(workspace, landing, api_key=double.api_key, api_base=double.base_url).errors == {}
    assert landed(workspace, landing) == market.truth()


def test_a_version_that_stripe_does_not_know_is_said_so(market: Market, workspace: Workspace, landing: Landing) -> None:
    with served(market, api_version="2031-01-01.later") as double:
        result = pull_stripe(workspace, landing, api_key=double.api_key, api_base=double.base_url)
    assert len(result.errors) == 19
    for error in result.errors.values():
        assert f"{double.base_url} does not know API version 2026-10-28.endive (400)" in error
    assert landing.pending("test") == []


@contextmanager
def gateway(
    double: StripeDouble,
    refusals: dict[str, tuple[int, str]],
    *,
    before: Callable[[str], None] = lambda path: None,
) -> Iterator[str]:
    """A server in front of the double that refuses some paths. `before` is told of every path asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            before(path)
            status, body = refusals.get(path) or self._forwarded()
            content = body if isinstance(body, bytes) else body.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _forwarded(self) -> tuple[int, bytes]:
            passed = ("Authorization", "Stripe-Version", "Stripe-Account")
            headers = {name: self.headers[name] for name in passed if self.headers[name]}
            try:
                with urllib.request.urlopen(
                    urllib.request.Request(double.base_url + self.path, headers=headers)
                ) as got:
                    return got.status, got.read()
            except urllib.error.HTTPError as error:
                return error.code, error.read()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_type_that_fails_for_good_is_reported_and_the_others_go_on_then_it_catches_up(
    unchanged: tuple[Market, StripeDouble], workspace: Workspace, landing: Landing
) -> None:
    refusals = {
        "/v1/disputes": (400, '{"error": {"type": "invalid_request_error", "message": "cus_1 is not there"}}'),
        "/v1/reviews": (503, '{"error": {"type": "api_error", "message": "of anna@example.com"}}'),
        "/v1/payouts": (200, "<html>anna@example.com</html>"),
    }
    market, double = unchanged
    with gateway(double, refusals) as address:
        result = pull_stripe(workspace, landing, api_key=double.api_key, api_base=address, network_retries=1)
    assert {table: error.partition(" [")[0] for table, error in result.errors.items()} == {
        "dispute": "/v1/disputes refused the request (400, InvalidRequestError)",
        "review": "/v1/reviews answered 503 on each of 2 tries: run again later",
        "payout": f"/v1/payouts answered with something that is no JSON object: is {address} really Stripe's API?",
    }
    assert landed(workspace, landing) == market.truth() | {table: {} for table in result.errors}
    assert result.types["review"].requests == 2
    assert pull_stripe(workspace, landing, api_key=double.api_key, api_base=double.base_url).errors == {}
    assert landed(workspace, landing) == market.truth()


def test_a_page_that_ends_with_a_deleted_object_is_followed_like_any_other(
    unchanged: tuple[Market, StripeDouble], workspace: Workspace, landing: Landing
) -> None:
    double = unchanged[1]
    shown = [EXAMPLES["charge"] | {"id": f"ch_shown_{number}"} for number in range(99)]
    gone = {"id": "ch_gone", "object": "charge", "deleted": True}
    page = {"object": "list", "data": [*shown, gone], "has_more": False, "url": "/v1/charges"}
    event = {"id": "evt_gone", "object": "event", "deleted": True, "type": "charge.updated", "data": {"object": gone}}
    events = {"object": "list", "data": [event], "has_more": False, "url": "/v1/events"}
    answers = {"/v1/charges": (200, json.dumps(page)), "/v1/events": (200, json.dumps(events))}
    with gateway(double, answers) as address:
        for _ in range(2):
            result = pull_stripe(workspace, landing, api_key=double.api_key, api_base=address, types=["charge"])
            assert result.errors == {}
    charges = landed(workspace, landing)["charge"]
    assert len(charges) == 100
    assert [object_id for object_id, row in charges.items() if row[2]] == ["ch_gone"]
    assert [row["reason_code"] for row in Quarantine(workspace).list().to_pylist()] == ["event"]


def test_an_account_that_this_key_can_no_longer_read_is_noted_and_stops_nothing(
    unchanged: tuple[Market, StripeDouble], workspace: Workspace, landing: Landing
) -> None:
    closed = (403, '{"error": {"type": "invalid_request_error", "code": "account_invalid", "message": "acct_1C"}}')
    double = unchanged[1]
    with gateway(double, {"/v1/accounts/acct_1C/persons": closed}) as address:
        result = pull_stripe(workspace, landing, api_key=double.api_key, api_base=address, types=["person"])
    assert result.errors == {}
    assert [note.partition(";")[0] for note in result.notes] == [
        "person: this key has no access (any more) to 1 connected accounts"
    ]
    assert sorted(landed(workspace, landing)["person"]) == ["person_acct_1A", "person_acct_1B"]


def test_events_that_cannot_be_read_stop_what_depends_on_them_and_nothing_else(
    unchanged: tuple[Market, StripeDouble], workspace: Workspace, landing: Landing
) -> None:
    refused = (403, '{"error": {"type": "invalid_request_error", "message": "no"}}')
    double = unchanged[1]
    for _ in range(2):
        with gateway(double, {"/v1/events": refused}) as address:
            result = pull_stripe(workspace, landing, api_key=double.api_key, api_base=address)
        assert sorted(table for table, pull in result.types.items() if pull.error is None) == ["balance_transaction"]
        assert "events cannot be read: the key may not read /v1/events (403)" in result.errors["charge"]


def test_no_server_at_the_address_is_said_so(workspace: Workspace, landing: Landing) -> None:
    result = pull_stripe(
        workspace,
        landing,
        api_key="sk_test",
        api_base="http://127.0.0.1:9",
        types=["charge"],
        network_retries=0,
    )
    assert "no answer from http://127.0.0.1:9 after 1 tries" in result.errors["charge"]
