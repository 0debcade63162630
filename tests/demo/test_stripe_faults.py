"""What goes wrong between a client and Stripe, as the double plays it, and what Stripe's own client makes of it."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
import stripe

from demo.stripe_errors import ApiError
from demo.stripe_faults import Faults, FaultSettings
from demo.stripe_server import http_server, listen, open_double
from demo.stripe_store import close_world
from tests.demo.stripe_examples import CHARGES, NOW, SHOP, TODAY, example, marketplace, write_objects

EVENTS = [f"evt_{number}" for number in range(240)]
API_KEY = "sk_test_leii_demo"
SETTINGS = {
    "limited": FaultSettings(),
    "strict": FaultSettings(rate_limit=2),
    "failing": FaultSettings(rate_limit=0, error_rate=0.3, duplicate_rate=0.2, reorder=True, seed=7),
    "cutting": FaultSettings(rate_limit=0, cut_rate=0.4, latency_ms=20, seed=7),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("objects")
    events = [example("event", event_id, created=TODAY - place) for place, event_id in enumerate(EVENTS)]
    write_objects(made, [item for item in marketplace() if item["object"] != "event"] + events)
    return made


@contextmanager
def serving(folder: Path, faults: FaultSettings) -> Iterator[str]:
    """The address of the real server, on a thread of the test's own process."""
    listener = listen("127.0.0.1", 0)
    double = open_double(folder, api_key=API_KEY, faults=faults, fixed_now=NOW)
    server = http_server(double)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        close_world(double.world)


@pytest.fixture(scope="module")
def doubles(folder: Path) -> Iterator[dict[str, str]]:
    with ExitStack() as running:
        yield {name: running.enter_context(serving(folder, faults)) for name, faults in SETTINGS.items()}


def session(base_url: str) -> httpx.Client:
    return httpx.Client(base_url=base_url, headers={"Authorization": f"Bearer {API_KEY}"})


def client_of(base_url: str, *, max_network_retries: int) -> stripe.StripeClient:
    return stripe.StripeClient(API_KEY, base_addresses={"api": base_url}, max_network_retries=max_network_retries)


def test_past_25_requests_a_second_an_endpoint_answers_429_and_recovers(doubles: dict[str, str]) -> None:
    with session(doubles["limited"]) as http, ThreadPoolExecutor(8) as senders:
        answers: list[httpx.Response] = []
        began = time.monotonic()
        while not any(answer.status_code == 429 for answer in answers) and time.monotonic() < began + 10:
            answers += senders.map(lambda _: http.get("/v1/payouts"), range(45))
        seconds = time.monotonic() - began
        statuses = Counter(answer.status_code for answer in answers)
        assert statuses.keys() == {200, 429}
        assert 25 <= statuses[200] <= 25 * (1 + int(seconds))
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.headers["Stripe-Rate-Limited-Reason"] == "endpoint-rate"
        assert refused.json()["error"]["code"] == "rate_limit"
        assert http.get("/v1/refunds").status_code == 200, "another endpoint has its own limit"
        assert http.get("/v1/payouts", headers={"Stripe-Account": SHOP}).status_code == 200, "and so has an account"
        time.sleep(1.1)
        assert http.get("/v1/payouts").status_code == 200


def test_past_100_requests_a_second_every_endpoint_answers_429() -> None:
    faults = Faults(settings=FaultSettings())
    for number in range(100):
        faults.check_rate("", f"endpoint {number % 5}")
    with pytest.raises(ApiError, match="rate limit") as refused:
        faults.check_rate("", "a fresh endpoint")
    assert refused.value.headers == {"Stripe-Rate-Limited-Reason": "global-rate"}


def test_the_client_reports_a_429_as_a_rate_limit(doubles: dict[str, str]) -> None:
    client = client_of(doubles["strict"], max_network_retries=0)

    def burst() -> None:
        for _ in range(50):
            client.v1.disputes.retrieve("dp_1")

    with pytest.raises(stripe.RateLimitError):
        burst()


def errors(seed: int) -> str:
    """The statuses, in order, that a double with this seed and an error rate of 0.3 must answer with."""
    faults, statuses = Faults(settings=FaultSettings(error_rate=0.3, seed=seed)), []
    for _ in range(1000):
        try:
            faults.check_error()
            statuses.append(200)
        except ApiError as error:
            statuses.append(error.status)
    return str(statuses)


def test_5xx_come_at_their_rate_and_are_the_same_for_the_same_seed(doubles: dict[str, str]) -> None:
    with session(doubles["failing"]) as http:
        seen = [http.get("/v1/customers/cus_1").status_code for _ in range(100)]
    assert str(seen)[1:-1] in errors(7)
    assert str(seen)[1:-1] not in errors(8)
    assert set(seen) == {200, 500, 502, 503}
    assert 15 <= sum(status >= 500 for status in seen) <= 45


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stripe's client waits half a second and more between its retries; here it need not."""
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.001)
    monkeypatch.setattr(stripe.HTTPClient, "MAX_DELAY", 0.01)


@pytest.mark.usefixtures("impatient")
def test_stripes_client_gets_through_5xx_with_its_own_retries(doubles: dict[str, str]) -> None:
    client = client_of(doubles["failing"], max_network_retries=12)
    assert len(list(client.v1.charges.list({"limit": 25}).auto_paging_iter())) == CHARGES


def test_cut_connections_break_off_within_the_body(doubles: dict[str, str]) -> None:
    cut, began = 0, time.monotonic()
    with session(doubles["cutting"]) as http:
        for _ in range(30):
            try:
                assert http.get("/v1/charges/ch_1").json()["id"] == "ch_1"
            except httpx.RemoteProtocolError:
                cut += 1
    assert 4 <= cut <= 20
    assert time.monotonic() - began >= 30 * 0.02, "every answer waits for the latency"


@pytest.mark.usefixtures("impatient")
def test_events_come_twice_and_out_of_order_and_none_is_lost(doubles: dict[str, str]) -> None:
    client = client_of(doubles["failing"], max_network_retries=12)
    first = client.v1.events.list({"limit": 50})
    page = [event.id for event in first.data]
    assert len(set(page)) < len(page) == 50, "a page is no longer for what it repeats"
    assert page != sorted(page, key=EVENTS.index)
    listed = [event.id for event in first.auto_paging_iter()]
    assert set(listed) == set(EVENTS)
    assert len(EVENTS) < len(listed) < 2 * len(EVENTS)
    assert [event.id for event in client.v1.charges.list({"limit": 3}).data] == ["ch_0", "ch_1", "ch_2"]
