"""When an erasure may run: the rules of R19, as a pure function of what is known about a person's jobs."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

GRACE = timedelta(days=30)
"""The privacy statement: a profile goes 30 days after the job was done and paid, so that the agreement can be fulfilled."""

Decision = Literal[
    "withdrawn",
    "identity_unverified",
    "job_open",
    "job_unpaid",
    "job_disputed",
    "job_claimed",
    "grace_period",
    "eligible",
]


@dataclass(frozen=True, kw_only=True)
class Jobs:
    """What is known of one person's jobs, as customer or provider. `last_settled_at`: latest completion or payment."""

    open: int = 0
    unpaid: int = 0
    disputed: int = 0
    claimed: int = 0
    last_settled_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """The decision and, for a wait that ends by itself, the moment when it ends."""

    decision: Decision
    eligible_at: datetime | None


def rule(*, withdrawn: bool, identity_verified: bool, jobs: Jobs, now: datetime) -> Ruling:
    """Source: the privacy statement's section on access and erasure, and the erasure rules of R19 and R23."""
    if withdrawn:
        return Ruling(decision="withdrawn", eligible_at=None)
    if not identity_verified:
        return Ruling(decision="identity_unverified", eligible_at=None)
    holds: tuple[tuple[int, Decision], ...] = (
        (jobs.open, "job_open"),
        (jobs.unpaid, "job_unpaid"),
        (jobs.disputed, "job_disputed"),
        (jobs.claimed, "job_claimed"),
    )
    for count, decision in holds:
        if count:
            return Ruling(decision=decision, eligible_at=None)
    if jobs.last_settled_at is None:
        return Ruling(decision="eligible", eligible_at=now)
    eligible_at = jobs.last_settled_at + GRACE
    return Ruling(decision="eligible" if eligible_at <= now else "grace_period", eligible_at=eligible_at)
