"""Logins, consents and bans."""

from __future__ import annotations

import numpy as np
import polars as pl

from demo.world import identifiers
from demo.world.accounts import USER_AGENTS
from demo.world.randomness import frame_of, text_series, uuids
from demo.world.spec import DAY, HOUR
from demo.world.tables import stack

_PURPOSES = ("marketing", "personalisation", "analytics_cookies", "marketing_cookies")
LOGIN_HISTORY = 365 * DAY
LOGINS_PER_DAY = 0.022


def login_rows(rng: np.random.Generator, people: pl.DataFrame, start: int, end: int) -> pl.DataFrame:
    """Logins from the owner's devices; some mistype a password, some of those names belong to no account."""
    active = people.filter(~pl.col("gone"))
    lived = np.maximum(end - np.maximum(active["created_at"].to_numpy(), start), 0)
    often = rng.gamma(1.5, 1 / 1.5, active.height)
    per_person = rng.poisson(LOGINS_PER_DAY * often * lived / DAY)
    row = np.repeat(np.arange(active.height), per_person)
    count = len(row)
    at = end - 1 - (rng.random(count) * lived[row]).astype(np.int64)
    chosen = active[row]
    second = pl.Series(rng.random(count) < 0.25)
    away = pl.Series(rng.random(count) < 0.2)
    elsewhere = text_series(identifiers.home_addresses(rng, count))
    success = rng.random(count) < 0.955
    nobody = pl.Series(~success & (rng.random(count) < 0.3))
    agents = np.array(USER_AGENTS, dtype=object)[rng.integers(0, len(USER_AGENTS), count)]
    abroad = rng.random(count) < 0.02
    country = np.array(["SE", "DK", "ES", "PL", "DE"], dtype=object)[rng.integers(0, 5, count)]
    return chosen.select(
        pl.when(~nobody).then("account_id").alias("account_id"),
        pl.Series("at", at),
        pl.Series("success", success),
        pl.when(away).then(elsewhere).otherwise("ip").alias("ip"),
        pl.when(second).then("second_device_id").otherwise("device_id").alias("device_id"),
        pl.when(second).then(text_series(agents)).otherwise("user_agent").alias("user_agent"),
        text_series(np.where(abroad, country, "NO"), "country"),
        pl.Series("valid_from", at),
    )


def consent_rows(rng: np.random.Generator, people: pl.DataFrame, end: int) -> pl.DataFrame:
    """What each said when they joined, who took it back later, and what visitors without an account chose."""
    first = [
        people.select(
            "account_id",
            pl.lit(None, pl.String).alias("anonymous_id"),
            pl.lit(purpose).alias("purpose"),
            granted.alias("granted"),
            (pl.col("created_at") + 20 + i).alias("recorded_at"),
            pl.lit("banner" if purpose.endswith("cookies") else "profile").alias("source"),
        )
        for i, (purpose, granted) in enumerate(zip(_PURPOSES, _granted(rng, people), strict=True))
    ]
    given = pl.concat(first)
    count = given.height
    withdrawn_at = given["recorded_at"].to_numpy() + (
        rng.random(count) * np.maximum(end - given["recorded_at"].to_numpy(), 1)
    ).astype(np.int64)
    withdrawn = given.with_columns(granted=pl.lit(False), recorded_at=pl.Series(withdrawn_at)).filter(
        given["granted"] & pl.Series(rng.random(count) < 0.06)
    )
    withdrawn = withdrawn.with_columns(
        source=text_series(np.where(rng.random(withdrawn.height) < 0.8, "profile", "email"))
    )
    rows = pl.concat([given, withdrawn, _visitors(rng, people.height // 5 + 1, end)])
    return rows.with_columns(valid_from=pl.col("recorded_at"))


def _granted(rng: np.random.Generator, people: pl.DataFrame) -> tuple[pl.Expr, pl.Expr, pl.Expr, pl.Expr]:
    chance = pl.Series(rng.random(people.height) < 0.6)
    also = pl.Series(rng.random(people.height) < 0.8)
    marketing = pl.col("marketing_consent")
    return marketing & also, pl.lit(chance), pl.col("analytics_consent"), marketing


def _visitors(rng: np.random.Generator, count: int, end: int) -> pl.DataFrame:
    ids = uuids(rng, count)
    at = end - 1 - (rng.random(count) * 180 * DAY).astype(np.int64)
    rows = [
        frame_of(
            {
                "account_id": text_series([None] * count),
                "anonymous_id": text_series(ids),
                "purpose": [purpose] * count,
                "granted": rng.random(count) < share,
                "recorded_at": at,
                "source": ["banner"] * count,
            }
        )
        for purpose, share in (("analytics_cookies", 0.6), ("marketing_cookies", 0.35))
    ]
    return pl.concat(rows)


def takeover_logins(rng: np.random.Generator, victims: pl.DataFrame, attacked_at: pl.Series) -> pl.DataFrame:
    """Failed logins from a new device in another country, then one that succeeds."""
    rows = []
    for attempt in range(6):
        count = victims.height
        rows.append(
            victims.select(
                "account_id",
                (attacked_at + 90 * attempt).alias("at"),
                pl.lit(attempt == 5).alias("success"),
            )
        )
    device = text_series(identifiers.device_ids(rng, victims.height))
    ip = text_series(identifiers.foreign_addresses(rng, victims.height))
    country = text_series(np.array(["RO", "NG", "VN"], dtype=object)[rng.integers(0, 3, count)])
    return stack(
        [
            row.with_columns(
                device.alias("device_id"),
                ip.alias("ip"),
                country.alias("country"),
                pl.lit(USER_AGENTS[4]).alias("user_agent"),
                pl.col("at").alias("valid_from"),
            )
            for row in rows
        ]
    )


def ban_rows(people: pl.DataFrame, banned_at: int) -> pl.DataFrame:
    """Bans of harassers, of who will come back, and of who asks for privacy while banned; another ban was lifted."""
    banned = people.filter(pl.col("cast").is_in(["harassment", "privacy:banned"]) | (pl.col("cast_role") == "banned"))
    lifted = people.filter((pl.col("cast") == "") & (pl.col("created_at") < banned_at - 200 * DAY))[5:6]
    reason = pl.when(pl.col("cast") == "harassment").then(pl.lit("harassment")).otherwise(pl.lit("repeated abuse"))
    rows = banned.select(
        "account_id",
        reason.alias("reason"),
        pl.lit(banned_at).alias("banned_at"),
        pl.lit(None, pl.Int64).alias("lifted_at"),
    )
    earlier = lifted.select(
        "account_id",
        pl.lit("mistaken identity").alias("reason"),
        pl.lit(banned_at - 90 * DAY).alias("banned_at"),
        pl.lit(banned_at - 90 * DAY + 9 * HOUR).alias("lifted_at"),
    )
    return stack([rows, earlier]).with_columns(valid_from=pl.col("banned_at"))
