"""Planted fraud, one function a kind, and its truth. Who plays which part is in `cast`, what they share in `accounts`."""

from __future__ import annotations

import numpy as np
import polars as pl

from demo.world import identifiers, texts
from demo.world.accounts import USER_AGENTS
from demo.world.aftermath import as_cases, as_messages
from demo.world.bookings import as_drafts
from demo.world.cast import FRAUD_ROLES, members
from demo.world.marketplace import Supply
from demo.world.payment_fraud import payment_fraud
from demo.world.planted import Planted, Stage
from demo.world.randomness import frame_of, generator, stripe_ids, text_series
from demo.world.security import takeover_logins
from demo.world.spec import DAY, HOUR
from demo.world.tables import stack


def plant_fraud(seed: int, people: pl.DataFrame, supply: Supply, now: int, ids: dict[str, int]) -> Planted:
    """All kinds of R8. `ids` holds the next free id of `review` and `support_case` and is moved on."""
    stage = Stage(rng=generator(seed, "fraud"), people=people, supply=supply, now=now)
    taken = members(people, "account_takeover")
    versions = {
        "review": _fake_reviews(stage, ids),
        "message": stack([_off_platform(stage), _spam(stage)]),
        "support_case": _complaints(stage, ids),
        "login": stack(
            [
                takeover_logins(stage.rng, taken, attack_times(seed, people, now)),
                _shared_logins(stage),
                _lent_logins(stage),
            ]
        ),
    }
    truth = (
        people.filter(pl.col("cast").is_in(list(FRAUD_ROLES)))
        .sort("cast", "cast_group", "person")
        .select("account_id", kind="cast", group="cast_group", role="cast_role")
    )
    kinds = [_ring_bookings(stage), _self_dealing(stage), _stolen_cards(stage), _victims_jobs(stage)]
    drafts = stack([*kinds, payment_fraud(stage)])
    return Planted(drafts=as_drafts(drafts), versions=versions, truth=truth)


def attack_times(seed: int, people: pl.DataFrame, now: int) -> pl.Series:
    """When each account of `account_takeover` is attacked, in the order of `members`."""
    count = members(people, "account_takeover").height
    return pl.Series(now - generator(seed, "takeover").integers(5 * DAY, 40 * DAY, count))


def takeover_profiles(seed: int, people: pl.DataFrame, profiles: pl.DataFrame, now: int) -> pl.DataFrame:
    """The profiles of those taken over, with the payout account that the thief puts in right after getting in."""
    rng = generator(seed, "takeover profiles")
    taken = members(people, "account_takeover").select("account_id")
    changes = taken.with_columns(
        text_series(identifiers.bank_accounts(rng, taken.height), "bank_account"),
        valid_from=attack_times(seed, people, now) + 1_200,
    )
    newest = profiles.sort("valid_from").unique("account_id", keep="last", maintain_order=True)
    return newest.drop("bank_account", "valid_from").join(changes, on="account_id", maintain_order="left")


def _ring_bookings(stage: Stage) -> pl.DataFrame:
    """Two bookings each by the accounts that share a card or a device: new customers on paper, one person in truth."""
    kinds = ("shared_cards", "shared_devices", "promotion_abuse")
    ring = pl.concat([members(stage.people, kind) for kind in kinds])
    return pl.concat([_jobs(stage, ring, 20, 90, method="card") for _ in range(2)])


def _jobs(stage: Stage, customers: pl.DataFrame, low: float, high: float, *, method: str | None = None) -> pl.DataFrame:
    """One paid job each, with ordinary providers, booked between `low` and `high` days ago."""
    count = customers.height
    provider, price = stage.providers(count)
    booked = stage.ago(low, high, count)
    return frame_of(
        {
            "customer": customers["person"],
            "provider": provider,
            "category_id": stage.categories(count),
            "price_nok": price,
            "booked_at": booked,
            "starts_at": booked + stage.rng.integers(1, 5, count) * DAY,
            "fate": ["paid"] * count,
            "method": text_series([method] * count),
            "part": customers["cast"],
        }
    )


def _self_dealing(stage: Stage) -> pl.DataFrame:
    """A customer and a provider who are one: six to nine paid bookings between them, best ratings."""
    customers, providers = (members(stage.people, "self_dealing", role) for role in ("customer", "provider"))
    times = stage.rng.integers(6, 10, customers.height)
    row = np.repeat(np.arange(customers.height), times)
    booked = stage.ago(8, 120, len(row))
    return frame_of(
        {
            "customer": customers["person"].gather(row),
            "provider": providers["person"].gather(row),
            "category_id": [1] * len(row),
            "price_nok": np.round(stage.rng.uniform(600, 2_500, len(row))),
            "booked_at": booked,
            "starts_at": booked + stage.rng.integers(2, 30, len(row)) * HOUR,
            "fate": ["paid"] * len(row),
            "method": ["card"] * len(row),
            "review_rating": [5] * len(row),
            "part": ["self_dealing"] * len(row),
        }
    )


def _stolen_cards(stage: Stage) -> pl.DataFrame:
    """Dear jobs on cards that are declined first, then warned of by the issuer and disputed by their owners."""
    thieves = members(stage.people, "stolen_cards")
    jobs = pl.concat([_jobs(stage, thieves, 12, 55, method="card") for _ in range(3)])
    count = jobs.height
    done = jobs["starts_at"] + 5 * HOUR
    return jobs.with_columns(
        price_nok=pl.col("price_nok") * 3,
        declines=pl.Series(stage.rng.integers(3, 6, count)),
        completed_at=done,
        paid_at=done + HOUR,
        warned_at=done + pl.Series(stage.rng.integers(6, 40, count)) * HOUR,
        disputed_at=done + pl.Series(stage.rng.integers(48, 140, count)) * HOUR,
        dispute_status=text_series(np.where(stage.rng.random(count) < 0.5, "needs_response", "lost")),
    )


def _victims_jobs(stage: Stage) -> pl.DataFrame:
    """Honest work by providers who later are taken over or lead customers off the platform."""
    providers = stack(
        [
            members(stage.people, kind)
            for kind in (
                "account_takeover",
                "off_platform_contact",
                "fake_reviews",
                "duplicate_identity",
                "false_company",
            )
        ]
    )
    providers = providers.filter("is_provider")
    jobs = pl.concat([_jobs(stage, providers, 45, 200) for _ in range(2)])
    return jobs.with_columns(provider="customer", customer=pl.Series(stage.customers(jobs.height)))


def _fake_reviews(stage: Stage, ids: dict[str, int]) -> pl.DataFrame:
    """Bursts of praise within three days, by accounts of the provider's own, without a booking."""
    authors = members(stage.people, "fake_reviews", "author")
    providers = members(stage.people, "fake_reviews", "provider").select("cast_group", subject_id="account_id")
    burst = providers.with_columns(pl.Series("burst_at", stage.ago(10, 60, providers.height)))
    rows = pl.concat([authors.join(burst, on="cast_group", maintain_order="left")] * 3)
    count = rows.height
    at = rows["burst_at"] + pl.Series(stage.rng.integers(0, 3 * DAY, count))
    frame = rows.select(
        pl.int_range(ids["review"], ids["review"] + count).alias("review_id"),
        pl.lit(None, pl.Int64).alias("booking_id"),
        pl.col("account_id").alias("author_id"),
        "subject_id",
        pl.lit(5).alias("rating"),
        texts.fill(stage.rng, texts.REVIEW_FAKE, rows).alias("body"),
        at.alias("created_at"),
        at.alias("valid_from"),
    )
    ids["review"] += count
    return frame


def _conversations(stage: Stage, senders: pl.DataFrame, each: int, low: float, high: float, base: int) -> pl.DataFrame:
    row = np.repeat(np.arange(senders.height), each)
    return frame_of(
        {
            "provider": senders["person"].gather(row),
            "customer": stage.customers(len(row)),
            "by_provider": [True] * len(row),
            "sent_at": stage.ago(low, high, len(row)),
            "conversation_id": np.arange(base, base + len(row)),
            "booking_id": pl.Series([None] * len(row), dtype=pl.Int64),
        }
    )


def _off_platform(stage: Stage) -> pl.DataFrame:
    """A provider who offers phone, e-mail or Vipps before there is a booking, to one customer after another."""
    rows = _conversations(stage, members(stage.people, "off_platform_contact"), 8, 2, 60, 900_000_000)
    body = texts.fill(stage.rng, texts.MESSAGE_OFF_PLATFORM, stage.people[rows["provider"]])
    return as_messages(stage.people, rows.with_columns(body=body))


def _spam(stage: Stage) -> pl.DataFrame:
    """The same advertisement to many, and ugly messages to a few."""
    spam = _conversations(stage, members(stage.people, "spam"), 15, 20, 24, 910_000_000)
    ugly = _conversations(stage, members(stage.people, "harassment"), 5, 21, 30, 920_000_000)
    return as_messages(
        stage.people,
        stack(
            [
                spam.with_columns(body=pl.lit("Tjen penger hjemmefra! Se lenken i profilen min.")),
                ugly.with_columns(body=pl.lit("Du kommer til å angre på dette, jeg vet hvor du bor.")),
            ]
        ),
    )


def _complaints(stage: Stage, ids: dict[str, int]) -> pl.DataFrame:
    """Complaints by three people each about spammers, harassers and providers who want to be paid outside; upheld."""
    topics = {"spam": "spam", "harassment": "harassment", "off_platform_contact": "fraud", "account_takeover": "fraud"}
    frames = []
    for kind, topic in topics.items():
        about = pl.concat([members(stage.people, kind)] * (1 if kind == "account_takeover" else 3))
        count = about.height
        by = about["person"].to_numpy() if kind == "account_takeover" else stage.customers(count)
        opened = stage.ago(1, 4, count) if kind == "account_takeover" else stage.ago(16, 20, count)
        frames.append(
            frame_of(
                {
                    "account_id": stage.people["account_id"].gather(by),
                    "channel": ["feedback_form"] * count,
                    "topic": [topic] * count,
                    "about_account_id": about["account_id"].set(pl.Series([kind == "account_takeover"] * count), None),
                    "opened_at": opened,
                    "closed_at": opened + stage.rng.integers(HOUR, 2 * DAY, count),
                    "who": by,
                },
            )
        )
    rows = pl.concat(frames)
    cases = as_cases(stage.rng, stage.people, rows, ids["support_case"])
    ids["support_case"] += rows.height
    return cases


def _shared_logins(stage: Stage) -> pl.DataFrame:
    """Accounts that share a device, logging in one after the other within minutes."""
    kinds = ("shared_devices", "self_dealing", "fake_reviews", "promotion_abuse", "ban_evasion")
    shared = pl.concat([members(stage.people, kind) for kind in kinds])
    evenings = []
    for evening in range(4):
        start = stage.now - (6 + 11 * evening) * DAY
        at = start + 240 * pl.int_range(pl.len()).over("cast", "cast_group") + 7_200 * pl.col("cast_group")
        evenings.append(
            shared.select(
                "account_id",
                "device_id",
                "ip",
                "created_at",
                at=at,
                success=pl.lit(True),
                user_agent=pl.lit(USER_AGENTS[1]),
                country=pl.lit("NO"),
            ).with_columns(valid_from="at")
        )
    return pl.concat(evenings).filter(pl.col("at") > pl.col("created_at")).drop("created_at")


def _lent_logins(stage: Stage) -> pl.DataFrame:
    """An account that goes from hand to hand: nine devices in three weeks, hardly a network twice."""
    holders = members(stage.people, "lent_account")
    rows = pl.concat([holders.select("account_id", pl.lit(n % 9).alias("hand")) for n in range(40)])
    devices = pl.Series(stripe_ids("dev", stage.rng.integers(0, 2**62, 9)))
    at = pl.Series("at", stage.ago(3, 24, rows.height))
    return rows.with_columns(
        at,
        devices.gather(rows["hand"]).alias("device_id"),
        text_series(identifiers.home_addresses(stage.rng, rows.height), "ip"),
        success=pl.lit(True),
        user_agent=pl.lit(USER_AGENTS[2]),
        country=pl.lit("NO"),
        valid_from=at,
    ).drop("hand")
