import threading
import time

import pytest

from ingestion.pacing import HOLD_SECONDS, Pacer
from ingestion.stripe_client import endpoint_of
from ingestion.stripe_objects import BY_NAME, STRIPE_TYPES, readings


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        (
            "https://api.stripe.com/v1/charges?limit=100&starting_after=ch_1A",
            "/v1/charges",
        ),
        ("/v1/charges/ch_1A", "/v1/charges/{id}"),
        (
            "http://127.0.0.1:8/v1/accounts/acct_1A/persons/person_1",
            "/v1/accounts/{id}/persons/{id}",
        ),
        ("/v1/radar/early_fraud_warnings", "/v1/radar/early_fraud_warnings"),
    ],
)
def test_an_endpoint_is_the_path_without_ids(url: str, endpoint: str) -> None:
    assert endpoint_of(url) == endpoint


def started(pacer: Pacer, endpoints: list[str], each: int) -> dict[str, list[float]]:
    """When requests to these endpoints started, asked for from a thread each."""
    moments: dict[str, list[float]] = {name: [] for name in endpoints}

    def ask(name: str) -> None:
        for _ in range(each):
            pacer.wait(name)
            moments[name].append(time.monotonic())

    threads = [threading.Thread(target=ask, args=(name,)) for name in endpoints]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return moments


def most_within(moments: list[float], seconds: float) -> int:
    return max(sum(start <= other < start + seconds for other in moments) for start in moments)


def test_no_endpoint_and_no_account_is_asked_more_often_than_its_rate() -> None:
    pacer = Pacer(endpoint_rate=40, total_rate=100)
    moments = started(pacer, ["a", "b", "c", "d"], each=12)
    assert max(most_within(of_one, 0.25) for of_one in moments.values()) <= 40 * 0.25 + 3
    assert most_within([moment for of_one in moments.values() for moment in of_one], 0.25) <= 100 * 0.25 + 4


def test_a_quiet_endpoint_does_not_wait_for_a_busy_one() -> None:
    pacer = Pacer(endpoint_rate=5, total_rate=1000)
    begun = time.monotonic()
    moments = started(pacer, ["busy"], each=3) | started(pacer, ["quiet"], each=1)
    assert moments["busy"][-1] - begun >= 0.39
    assert moments["quiet"][0] - moments["busy"][-1] < 0.1


def test_a_limit_that_somebody_has_met_is_left_alone_by_all() -> None:
    pacer = Pacer(endpoint_rate=1000, total_rate=1000)
    pacer.hold("busy")
    begun = time.monotonic()
    pacer.wait("quiet")
    assert time.monotonic() - begun < HOLD_SECONDS / 2
    pacer.wait("busy")
    assert time.monotonic() - begun >= HOLD_SECONDS * 0.9


def test_every_nested_type_has_a_parent_with_a_list_of_its_own() -> None:
    for entry in STRIPE_TYPES:
        if entry.nested:
            assert BY_NAME[entry.nested.parent].nested is None


def test_every_type_is_landed_by_exactly_one_reading() -> None:
    tables = [table for reading in readings(None) for table in reading.tables]
    assert sorted(tables) == sorted(entry.table for entry in STRIPE_TYPES)
    assert len(set(tables)) == 19
