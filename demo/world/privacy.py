"""Privacy requests in every state of the erasure rules (R19), with the state that each must reach.

Every case has accounts of its own, whose bookings are laid out here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from demo.world.bookings import as_drafts
from demo.world.cast import PRIVACY_ROLES, members
from demo.world.planted import Planted, Stage
from demo.world.randomness import frame_of
from demo.world.spec import DAY, HOUR


@dataclass(frozen=True, kw_only=True)
class Case:
    """How one case is laid out; times in days before now, negative ones in the future.

    `expected` is the state of the newest request of the case at the base world's now; None where the erasure rules say nothing.
    """

    expected: str | None
    kind: str = "erasure"
    requested: float = 3
    verified: float | None = 2.8
    withdrawn: float | None = None
    # completed and paid of the last job; None where there is none
    completed: float | None = None
    paid: float | None = None
    as_provider: bool = False
    extra: tuple[tuple[str, float | str], ...] = ()
    again: float | None = None


CASES: dict[str, Case] = {
    "no_booking": Case(expected="done"),
    "done_long_ago": Case(expected="done", completed=75, paid=74),
    "provider_done_long_ago": Case(expected="done", completed=64, paid=63, as_provider=True),
    "kept_by_law": Case(expected="done", completed=300, paid=299.5),
    "recent_job": Case(expected="waiting", completed=11, paid=10),
    "recently_paid": Case(expected="waiting", completed=52, paid=9),
    "nearly_eligible": Case(expected="waiting", completed=29.6, paid=29.25),
    "open_job": Case(expected="held", completed=-6, paid=-6.2),
    "provider_open_job": Case(expected="held", completed=-5, paid=-5.2, as_provider=True),
    "unpaid_job": Case(expected="held", completed=58),
    "disputed_charge": Case(
        expected="held", completed=66, paid=65.5, extra=(("disputed_at", 21), ("dispute_status", "needs_response"))
    ),
    "open_claim": Case(expected="held", completed=61, paid=60.5, extra=(("claimed_at", 55), ("claim_status", "filed"))),
    "unverified": Case(expected="waiting_for_identity", verified=None, completed=90, paid=89),
    "verified_later": Case(expected="waiting_for_identity", verified=-0.6, completed=90, paid=89),
    "withdrawn": Case(expected="refused", withdrawn=1.5, completed=80, paid=79),
    "withdrawn_later": Case(expected="waiting", withdrawn=-1.6, completed=12, paid=11),
    "second_request": Case(expected="done", completed=95, paid=94, again=0.7),
    "banned": Case(expected="done", completed=85, paid=84),
    "both_parties": Case(expected="done", completed=82, paid=81),
    "access": Case(expected=None, kind="access", completed=40, paid=39),
    "rectification": Case(expected=None, kind="rectification", completed=33, paid=32),
    "new_request": Case(expected="done", requested=-0.4, verified=-0.5, completed=88, paid=87),
    "vanishing": Case(expected=None, completed=70, paid=69),
}


def plant_privacy(stage: Stage, first_request_id: int) -> Planted:
    """Every case of the rules: bookings, requests (also future ones), truth by request with `visible_from`."""
    drafts = [_drafts(stage, case, layout) for case, layout in CASES.items() if layout.completed is not None]
    requests = _requests(stage)
    requests = requests.sort("requested_at", "account_id", maintain_order=True).with_columns(
        privacy_request_id=pl.int_range(first_request_id, first_request_id + requests.height)
    )
    base = requests.select(
        "privacy_request_id",
        "account_id",
        "kind",
        "channel",
        "requested_at",
        identity_verified_at=pl.lit(None, pl.Int64),
        withdrawn_at=pl.lit(None, pl.Int64),
        valid_from=pl.col("requested_at"),
    )
    verified = requests.filter(pl.col("identity_verified_at").is_not_null()).select(
        *[c for c in base.columns if c not in ("identity_verified_at", "withdrawn_at", "valid_from")],
        "identity_verified_at",
        pl.lit(None, pl.Int64).alias("withdrawn_at"),
        pl.col("identity_verified_at").alias("valid_from"),
    )
    withdrawn = requests.filter(pl.col("withdrawn_at").is_not_null()).select(
        *[c for c in base.columns if c != "valid_from"], pl.col("withdrawn_at").alias("valid_from")
    )
    versions = pl.concat([frame.select(base.columns) for frame in (base, verified, withdrawn)])
    truth = requests.select(
        "privacy_request_id", "account_id", "kind", "case", "expected_state", visible_from="requested_at"
    )
    return Planted(drafts=as_drafts(pl.concat(drafts)), versions={"privacy_request": versions}, truth=truth)


def _requests(stage: Stage) -> pl.DataFrame:
    rows = []
    for case, layout in CASES.items():
        if case == "vanishing":
            continue
        people = members(stage.people, f"privacy:{case}")
        for requested in (layout.requested, layout.again):
            if requested is None:
                continue
            shift = layout.requested - requested
            jitter = pl.Series(stage.rng.integers(0, HOUR, people.height))
            moments = {
                "requested_at": requested,
                "identity_verified_at": None if layout.verified is None else layout.verified - shift,
                "withdrawn_at": layout.withdrawn,
            }
            rows.append(
                people.select(
                    "account_id",
                    pl.lit(layout.kind).alias("kind"),
                    pl.lit("profile" if case != "unverified" else "email").alias("channel"),
                    pl.lit(case).alias("case"),
                    pl.lit(layout.expected, pl.String).alias("expected_state"),
                    *[
                        (pl.lit(None, pl.Int64) if days is None else _moment(stage.now, days) + jitter).alias(name)
                        for name, days in moments.items()
                    ],
                )
            )
    return pl.concat(rows)


def _moment(now: int, days: float) -> pl.Expr:
    return pl.lit(int(now - days * DAY), pl.Int64)


def _drafts(stage: Stage, case: str, layout: Case) -> pl.DataFrame:
    """The last job of everybody who plays the case; a second, older one where payments are kept by law."""
    askers = members(stage.people, f"privacy:{case}", PRIVACY_ROLES[case][0][0].rstrip("*"))
    count = askers.height
    provider, price = stage.providers(count)
    customer = askers["person"].to_numpy()
    if layout.as_provider:
        customer, provider = stage.customers(count), customer
    if case == "both_parties":
        provider = members(stage.people, "privacy:both_parties", "provider")["person"].to_numpy()
    assert layout.completed is not None
    completed = int(stage.now - layout.completed * DAY)
    is_open = layout.completed < 0
    planned = {name: _moment(stage.now, days) for name, days in layout.extra if not isinstance(days, str)}
    fixed = {name: pl.lit(value) for name, value in layout.extra if isinstance(value, str)}
    jobs = frame_of(
        {
            "customer": customer,
            "provider": provider,
            "category_id": stage.categories(count),
            "price_nok": price,
            "booked_at": completed - stage.rng.integers(8 * DAY, 14 * DAY, count),
            "starts_at": [completed - 3 * HOUR] * count,
            "completed_at": [completed] * count,
        }
    ).with_columns(
        fate=pl.lit("unpaid" if layout.paid is None else "paid"),
        paid_at=pl.lit(None, pl.Int64) if layout.paid is None else _moment(stage.now, layout.paid),
        method=pl.lit("card"),
        part=pl.lit(f"privacy:{case}"),
        **planned,
        **fixed,
    )
    if is_open:  # paid after the job, as ever
        jobs = jobs.with_columns(paid_at=pl.col("completed_at") + 5 * HOUR)
    jobs = as_drafts(jobs)
    if case != "kept_by_law":
        return jobs
    older = [(pl.col(name) - 60 * DAY).alias(name) for name in ("booked_at", "starts_at", "completed_at", "paid_at")]
    return pl.concat([jobs, jobs.with_columns(older)])
