"""What a further day brings beside the marketplace itself: newcomers, changed details, requests for privacy, departures, decisions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import polars as pl

from demo.world import accounts, identifiers
from demo.world.randomness import generator, text_series
from demo.world.security import consent_rows, login_rows
from demo.world.spec import DAY, HOUR, WorldSpec
from demo.world.stripe_people import customer_objects, provider_objects
from demo.world.tables import TABLES, stack


@dataclass(frozen=True, kw_only=True)
class Day:
    """One step of the world's clock: from `start` until `end`."""

    spec: WorldSpec
    step: int
    start: int
    end: int

    def generator(self, part: str) -> np.random.Generator:
        return generator(self.spec.seed, part, self.step)


@dataclass(frozen=True, kw_only=True)
class News:
    """New versions of rows by table and of Stripe objects by type, and the people and offers as they are now."""

    people: pl.DataFrame
    offers: pl.DataFrame
    tables: dict[str, pl.DataFrame]
    objects: dict[str, pl.DataFrame]


def newcomers(day: Day, people: pl.DataFrame, offers: pl.DataFrame, ids: dict[str, int]) -> News:
    """Those who join today, with profile, offers, consents and their side of Stripe; one at least."""
    count = 1 + int(day.generator("newcomers").poisson(people.height / 900))
    nobody = people.clear().select("cast", "cast_group", "cast_role", "is_provider")
    fresh = accounts.make_people(day.spec.seed, day.step, nobody, count, day.start, day.end)
    fresh = fresh.with_columns(person=pl.int_range(people.height, people.height + count, dtype=pl.Int64))
    new_offers = accounts.make_offers(day.spec.seed, day.step, fresh, ids["service_offer"])
    ids["service_offer"] += new_offers.height
    rows = accounts.account_versions(day.spec.seed, day.step, fresh, day.end)
    profiles = accounts.profile_versions(day.spec.seed, day.step, fresh, new_offers)
    return News(
        people=pl.concat([people, fresh.select(people.columns)]),
        offers=pl.concat([offers, new_offers.select(offers.columns)]),
        tables={
            "account": rows,
            "provider_profile": profiles,
            "service_offer": accounts.offer_versions(day.spec.seed, day.step, new_offers, day.end),
            "consent": consent_rows(day.generator("consents"), fresh, day.end),
        },
        objects={"customer": customer_objects(rows)} | provider_objects(fresh, profiles, day.spec.seed, day.step),
    )


def changed_details(day: Day, people: pl.DataFrame, shown: dict[str, pl.DataFrame]) -> News:
    """A new phone number, e-mail address or price here and there; two accounts at least."""
    rng = day.generator("changed details")
    settled = people.filter((pl.col("cast") == "") & ~pl.col("gone") & (pl.col("created_at") < day.start - DAY))
    count = 2 + int(rng.poisson(people.height * accounts.EDITS_PER_DAY))
    chosen = settled[np.sort(rng.choice(settled.height, min(count, settled.height), replace=False))]
    phones = text_series(identifiers.phones(rng, chosen.height))
    emails = text_series([f"ny.{rng.integers(10**9)}@post.example" for _ in range(chosen.height)])
    is_phone = pl.Series(rng.random(chosen.height) < 0.6)
    edits = chosen.select(
        "account_id",
        pl.when(is_phone).then(phones).otherwise("phone").alias("phone"),
        pl.when(~is_phone).then(emails).otherwise("email").alias("email"),
        pl.Series("valid_from", rng.integers(day.start, day.end, chosen.height)),
    )
    rows = (
        seconds("account", shown["account"]).drop("phone", "email").join(edits, on="account_id", maintain_order="right")
    )
    moved = people.join(edits.drop("valid_from"), on="account_id", how="left", suffix="_new", maintain_order="left")
    moved = moved.with_columns(phone=pl.coalesce("phone_new", "phone"), email=pl.coalesce("email_new", "email"))
    offers = seconds("service_offer", shown["service_offer"]).filter("active")
    raised = offers[np.sort(rng.choice(offers.height, 1 + offers.height // 400, replace=False))]
    raised = raised.with_columns(
        price_nok=pl.col("price_nok") + 15, valid_from=pl.Series(rng.integers(day.start, day.end, raised.height))
    )
    customers = customer_objects(rows).with_columns(event=pl.lit("customer.updated"))
    return News(
        people=moved.select(people.columns),
        offers=pl.DataFrame(),
        tables={"account": rows, "service_offer": raised},
        objects={"customer": customers},
    )


def logins(day: Day, people: pl.DataFrame) -> pl.DataFrame:
    """Today's logins."""
    return login_rows(day.generator("logins"), people, day.start, day.end)


def privacy_requests(
    day: Day, people: pl.DataFrame, shown: dict[str, pl.DataFrame], first_id: int
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Somebody without bookings asks to be forgotten: people (without that one's future), versions, truth."""
    rng = day.generator("privacy requests")
    busy = pl.concat([shown["booking"][column] for column in ("customer_id", "provider_id")])
    asked = shown["privacy_request"]["account_id"]
    free = people.filter(
        (pl.col("cast") == "")
        & ~pl.col("gone")
        & ~pl.col("is_provider")
        & (pl.col("created_at") < day.start)
        & ~pl.col("account_id").is_in(busy.implode())
        & ~pl.col("account_id").is_in(asked.implode())
    )
    askers = free[np.sort(rng.choice(free.height, min(1 + people.height // 20_000, free.height), replace=False))]
    at = pl.Series(rng.integers(day.start, day.end - 3 * HOUR, askers.height))
    base = askers.select(
        pl.int_range(first_id, first_id + askers.height).alias("privacy_request_id"),
        "account_id",
        pl.lit("erasure").alias("kind"),
        pl.lit("profile").alias("channel"),
        pl.lit(None, pl.Int64).alias("identity_verified_at"),
        at.alias("requested_at"),
        pl.lit(None, pl.Int64).alias("withdrawn_at"),
        at.alias("valid_from"),
    )
    verified = base.with_columns(
        identity_verified_at=pl.col("requested_at") + HOUR, valid_from=pl.col("requested_at") + HOUR
    )
    truth = base.select(
        "privacy_request_id",
        "account_id",
        "kind",
        case=pl.lit("no_booking"),
        expected_state=pl.lit("done"),
        visible_from="requested_at",
    )
    quiet = pl.when(pl.col("account_id").is_in(askers["account_id"].implode())).then(0.0).otherwise("customer_weight")
    return people.with_columns(quiet.alias("customer_weight")), pl.concat([base, verified]), truth


def leaver(day: Day, people: pl.DataFrame) -> str | None:
    """The account that vanishes today: one planted for it, later anybody who never was in demand."""
    planted = people.filter((pl.col("cast") == "privacy:vanishing") & ~pl.col("gone"))
    if planted.height:
        return str(planted["account_id"][0])
    quiet = people.filter(
        (pl.col("cast") == "") & ~pl.col("gone") & ~pl.col("is_provider") & (pl.col("created_at") < day.start)
    )
    quiet = quiet.sort("customer_weight", "account_id")
    return str(quiet["account_id"][0]) if quiet.height else None


def decisions(day: Day, flags: pl.DataFrame, frauds: set[str], first_id: int) -> pl.DataFrame:
    """What people in the app decided on flags: upheld where there was fraud, else overturned; half of the flags a day."""
    rows = []
    for flag_id, account_id in flags.iter_rows():
        draw = hashlib.sha256(f"{day.spec.seed}/{flag_id}/{day.step}".encode()).digest()
        if draw[0] < 128:
            continue
        upheld = account_id in frauds
        decided_at = day.end - HOUR - int.from_bytes(draw[1:3], "big") % (9 * HOUR)
        rows.append((flag_id, "upheld" if upheld else "overturned", decided_at, not upheld and draw[3] < 64))
    schema = {"flag_id": pl.String, "decision": pl.String, "decided_at": pl.Int64, "contested": pl.Boolean}
    frame = pl.DataFrame(rows, schema=schema, orient="row").sort("decided_at", "flag_id")
    return frame.select(
        pl.int_range(first_id, first_id + frame.height).alias("decision_id"),
        *schema,
        pl.when(pl.col("decision") == "overturned").then(pl.lit("Forklart av husstanden.")).alias("note"),
    )


def seconds(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """A finished table with its times in seconds and its dates in days again, as versions have them."""
    kinds = TABLES[name].columns
    times = [(pl.col(column).cast(pl.Int64) // 1_000_000) for column, kind in kinds.items() if kind == "time"]
    dates = [pl.col(column).cast(pl.Int32).cast(pl.Int64) for column, kind in kinds.items() if kind == "date"]
    return frame.with_columns(*times, *dates)


def joined(parts: list[dict[str, pl.DataFrame]]) -> dict[str, pl.DataFrame]:
    """Versions of several sources by name, one below the other."""
    names = sorted({name for part in parts for name in part})
    return {name: stack([part[name] for part in parts if name in part]) for name in names}
