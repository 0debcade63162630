"""When an erasure may run: every case of R19."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pseudonymisation.erasure.eligibility import GRACE, Jobs, rule

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)


def ruling(jobs: Jobs | None = None, *, withdrawn: bool = False, identity_verified: bool = True) -> str:
    return rule(withdrawn=withdrawn, identity_verified=identity_verified, jobs=jobs or Jobs(), now=NOW).decision


def test_somebody_who_never_booked_is_erased_at_once() -> None:
    assert ruling() == "eligible"


@pytest.mark.parametrize(
    ("days", "expected"), [(31, "eligible"), (30, "eligible"), (29.9, "grace_period"), (0, "grace_period")]
)
def test_thirty_days_count_from_the_last_completion_or_payment(days: float, expected: str) -> None:
    assert ruling(Jobs(last_settled_at=NOW - timedelta(days=days))) == expected


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        (Jobs(open=1), "job_open"),
        (Jobs(unpaid=1), "job_unpaid"),
        (Jobs(disputed=1), "job_disputed"),
        (Jobs(claimed=1), "job_claimed"),
    ],
)
def test_a_job_that_is_not_over_holds_the_erasure(jobs: Jobs, expected: str) -> None:
    assert ruling(jobs) == expected


def test_nothing_runs_before_the_identity_is_verified() -> None:
    assert ruling(identity_verified=False) == "identity_unverified"


def test_a_withdrawn_request_does_nothing_even_if_verified() -> None:
    assert ruling(withdrawn=True) == "withdrawn"


@given(st.timedeltas(min_value=timedelta(days=-400), max_value=timedelta(days=400)))
def test_the_day_that_is_promised_is_the_day_that_it_runs(since: timedelta) -> None:
    jobs = Jobs(last_settled_at=NOW - since)
    first = rule(withdrawn=False, identity_verified=True, jobs=jobs, now=NOW)
    assert first.eligible_at == NOW - since + GRACE
    then = rule(withdrawn=False, identity_verified=True, jobs=jobs, now=max(NOW, first.eligible_at))
    assert then.decision == "eligible"
