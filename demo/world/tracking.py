"""Tracking events in Segment's common fields: who looks at what, when it arrives, and what it says about consent.

An event is a row until it is rendered: `actor` (row of the actors), `received_at` and `sent` in milliseconds, `kind` and
the properties as JSON. People come in sessions; requests and bookings of the app have events of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from demo.world import places
from demo.world.categories import CATEGORIES, field
from demo.world.marketplace import demand_weights
from demo.world.randomness import Floats, Ints, Texts, frame_of, generator, pick, stripe_ids, text_series
from demo.world.shapes import raw, rendered, text
from demo.world.spec import DAY, HOUR, WorldSpec

CHUNK_EVENTS = 150_000
SESSION_LENGTH = 6
_KINDS = (
    "page",
    "Search Performed",
    "Provider Viewed",
    "Request Started",
    "Calendar Opened",
    "Pixel Fired",
    "Push Opened",
    "Profile Edited",
    "identify",
    "alias",
)
_KIND_WEIGHTS = np.array([0.36, 0.18, 0.19, 0.07, 0.05, 0.065, 0.045, 0.015, 0.022, 0.003])
_PAGES = ("/", "/tjenester", "/soek", "/tilbydere", "/min-side", "/hjelp", "/priser", "/bli-tilbyder")


@dataclass(frozen=True, kw_only=True)
class Audience:
    """Who causes events: actors (people, then visitors without an account), how often, and who was there when."""

    actors: pl.DataFrame
    weights: Floats
    people_count: int


@dataclass(frozen=True, kw_only=True)
class Happenings:
    """What the app saw in the window: requests and bookings with the row of their customer."""

    requests: pl.DataFrame
    bookings: pl.DataFrame
    provider_ids: pl.Series


def make_audience(people: pl.DataFrame, consents: pl.DataFrame) -> Audience:
    """Everybody with an account, and the cookies of the consent table that no account is tied to."""
    moment = (pl.col("recorded_at").cast(pl.Int64) // 1_000).alias("at")
    withdrawn = (
        consents.filter(~pl.col("granted") & pl.col("account_id").is_not_null())
        .group_by("account_id")
        .agg(
            [
                moment.filter(pl.col("purpose") == f"{name}_cookies").max().alias(f"{name}_until")
                for name in ("analytics", "marketing")
            ]
        )
    )
    place = people["place"].to_numpy()
    known = people.select(
        "account_id",
        "anonymous_id",
        "email",
        "created_at",
        "is_provider",
        "ip",
        "user_agent",
        "device_id",
        "latitude",
        "longitude",
        "analytics_consent",
        "marketing_consent",
        text_series(places.column("city")[place], "city"),
        text_series(places.column("postal_code")[place], "postal_code"),
    ).join(withdrawn, on="account_id", how="left", maintain_order="left")
    visitors = (
        consents.filter(pl.col("anonymous_id").is_not_null())
        .group_by("anonymous_id", maintain_order=True)
        .agg(
            [
                pl.col("granted").filter(pl.col("purpose") == f"{name}_cookies").last().alias(f"{name}_consent")
                for name in ("analytics", "marketing")
            ]
        )
    )
    like = known[np.arange(visitors.height) % known.height]
    strangers = visitors.with_columns(
        like["ip"],
        like["user_agent"],
        like["city"],
        like["postal_code"],
        like["latitude"].round(1),
        like["longitude"].round(1),
        text_series(stripe_ids("dev", np.arange(visitors.height) + 10**12), "device_id"),
        pl.lit(False).alias("is_provider"),
    )
    actors = pl.concat([known, strangers], how="diagonal_relaxed")
    weight = np.where(people["gone"].to_numpy(), 0, people["customer_weight"].to_numpy() + 0.25)
    total = weight.sum() or 1.0
    per_visitor = 0.25 * total / max(visitors.height, 1)
    weights = np.concatenate([weight, np.full(visitors.height, per_visitor)])
    return Audience(actors=_with_context(actors), weights=weights, people_count=people.height)


def _with_context(actors: pl.DataFrame) -> pl.DataFrame:
    """The parts of `context` that stay the same for an actor, rendered once."""
    agent = pl.col("user_agent")
    kind = (
        pl.when(agent.str.contains("iPhone"))
        .then(pl.lit("ios"))
        .when(agent.str.contains("Android"))
        .then(pl.lit("android"))
    )
    model = (
        pl.when(agent.str.contains("iPhone"))
        .then(pl.lit("iPhone16,2"))
        .when(agent.str.contains("Android"))
        .then(pl.lit("Pixel 9"))
        .otherwise(pl.lit("Computer"))
    )
    template = {
        "app": {"name": "Leii", "version": "4.12.0"},
        "ip": text("ip"),
        "userAgent": text("user_agent"),
        "locale": "nb-NO",
        "device": {"id": text("device_id"), "type": text(kind.otherwise(pl.lit("web"))), "model": text(model)},
        "location": {"latitude": raw("latitude"), "longitude": raw("longitude"), "city": text("city")},
    }
    whole = rendered(template)
    return actors.with_columns(
        context=whole.str.slice(0, whole.str.len_chars() - 1), is_app=agent.str.contains("iPhone|Android")
    )


def event_chunks(
    spec: WorldSpec,
    step: int,
    audience: Audience,
    happenings: Happenings,
    window: tuple[int, int],
    count: int,
    first: int,
) -> Iterator[pl.DataFrame]:
    """Frames of rendered events (`received_at` in ms, `line`, `account_id`), a stretch of whole days each, by arrival."""
    days = max(1, -(-(window[1] - window[0]) // DAY))
    pieces = min(days, -(-count // CHUNK_EVENTS))
    edges = [window[0] + (days * piece // pieces) * DAY for piece in range(pieces)] + [window[1]]
    done = 0
    for piece, (start, end) in enumerate(pairwise(edges)):
        target = round(count * (end - window[0]) / (window[1] - window[0]))
        rng = generator(spec.seed, f"events {piece}", step)
        yield _chunk(rng, spec, audience, happenings, (start, end), target - done, first + done)
        done = target


def _chunk(
    rng: np.random.Generator,
    spec: WorldSpec,
    audience: Audience,
    happenings: Happenings,
    window: tuple[int, int],
    count: int,
    first: int,
) -> pl.DataFrame:
    bound = [_bound_events(rng, happenings, window, count)]
    rest = count - bound[0].height
    browsing = _browsing(rng, spec, audience, happenings, window, rest)
    rows = pl.concat([*bound, browsing], how="diagonal_relaxed")
    return _rendered(rng, spec, audience, rows, count, first)


def _bound_events(
    rng: np.random.Generator, happenings: Happenings, window: tuple[int, int], count: int
) -> pl.DataFrame:
    """Request Sent, Checkout Started and Booking Viewed of what the app has from the window; an even share of it where it is much."""
    inside = (pl.col("at") >= window[0]) & (pl.col("at") < window[1] - 120)
    frames = []
    for source, kind, most, delay in (
        (happenings.requests, "Request Sent", 0.12, 2),
        (happenings.bookings, "Checkout Started", 0.06, 1),
        (happenings.bookings, "Booking Viewed", 0.06, 60),
    ):
        known = source.filter(inside)
        keep = int(min(known.height, most * count))
        known = known.gather_every(max(1, -(-known.height // max(keep, 1)))) if keep else known.clear()
        number = pl.col("number").cast(pl.String)
        properties = {
            "Request Sent": pl.concat_str([pl.lit('{"request_id":'), number, pl.lit("}")]),
            "Booking Viewed": pl.concat_str([pl.lit('{"booking_id":'), number, pl.lit("}")]),
            "Checkout Started": pl.concat_str(
                [pl.lit('{"booking_id":'), number, pl.lit(',"method":"'), pl.col("method"), pl.lit('"}')]
            ),
        }[kind]
        frames.append(
            known.select(
                pl.col("person").alias("actor"),
                (pl.col("at") * 1_000 + pl.Series(rng.integers(delay * 300, delay * 1_000, known.height))).alias(
                    "received_at"
                ),
                pl.lit(kind).alias("kind"),
                properties.alias("properties"),
                pl.lit(True).alias("logged_in"),
            )
        )
    return pl.concat(frames).with_columns(late=pl.lit(0, pl.Int64))


def _browsing(
    rng: np.random.Generator,
    spec: WorldSpec,
    audience: Audience,
    happenings: Happenings,
    window: tuple[int, int],
    count: int,
) -> pl.DataFrame:
    sessions = count // SESSION_LENGTH + 1
    hours, weights = demand_weights(window[0], window[1], spec.start)
    start = hours[pick(rng, weights.sum(axis=0), sessions)] + rng.integers(0, HOUR, sessions)
    session = rng.integers(0, sessions, count)
    actor = pick(rng, audience.weights, sessions)
    joined = audience.actors["created_at"].fill_null(0).to_numpy()
    at = (start[session] * 1_000 + rng.integers(0, 900_000, count)).clip(window[0] * 1_000, window[1] * 1_000 - 1)
    who = actor[session]
    is_provider = audience.actors["is_provider"].to_numpy()[who]
    kind = np.array(_KINDS, dtype=object)[pick(rng, _KIND_WEIGHTS, count)]
    kind[(kind == "Calendar Opened") & ~is_provider] = "page"
    logged_in = (rng.random(sessions) < 0.86)[session] & (who < audience.people_count) & (joined[who] < at // 1_000)
    kind[np.isin(kind, ["identify", "Push Opened", "Profile Edited"]) & ~logged_in] = "page"
    marketing = audience.actors["marketing_consent"].to_numpy()[who]
    kind[(kind == "Pixel Fired") & ~marketing & (rng.random(count) < 0.8)] = "page"
    late_share = min(1.0, spec.late_rate * (count * 1.33) / max(count, 1))
    late = np.where(rng.random(count) < late_share, rng.integers(DAY, 7 * DAY, count), 0) * 1_000
    return frame_of(
        {
            "actor": who,
            "received_at": at,
            "kind": kind,
            "properties": _properties(rng, audience, happenings, kind, who),
            "logged_in": logged_in,
            "late": late,
        }
    )


def _properties(
    rng: np.random.Generator, audience: Audience, happenings: Happenings, kind: Texts, who: Ints
) -> pl.Series:
    count = len(kind)
    providers = happenings.provider_ids
    results = [providers.gather(rng.integers(0, len(providers), count)).alias(f"result{i}") for i in range(3)]
    slugs = np.array([category.slug for category in CATEGORIES], dtype=object)
    # Where few live, nobody is found for what few offer.
    rare = [category.slug for category in CATEGORIES if category.weight <= 3]
    remote = [place.postal_code for place in places.PLACES if place.supply_factor < 0.7]
    frame = (
        pl.DataFrame(results)
        .with_columns(
            text_series(kind, "kind"),
            text_series(slugs[pick(rng, field("weight"), count)], "category"),
            audience.actors["postal_code"].gather(who),
            text_series(np.array(_PAGES, dtype=object)[rng.integers(0, len(_PAGES), count)], "path"),
            pl.Series("position", rng.integers(1, 12, count)),
            pl.Series("most", rng.integers(3, 12, count) * 100),
        )
        .with_columns(is_found=~(pl.col("category").is_in(rare) & pl.col("postal_code").is_in(remote)))
    )
    filters = (
        pl.when(pl.col("position") < 4)
        .then(pl.concat_str([pl.lit('{"max_price":'), "most", pl.lit("}")]))
        .otherwise(pl.lit("{}"))
    )
    search = {
        "category": text("category"),
        "postal_code": text("postal_code"),
        "results": raw(
            pl.when("is_found")
            .then(
                pl.concat_str(
                    [pl.lit("["), pl.concat_str([text(f"result{i}") for i in range(3)], separator=","), pl.lit("]")]
                )
            )
            .otherwise(pl.lit("[]"))
        ),
        "filters": raw(filters),
    }
    by_kind = {
        "page": {"path": text("path")},
        "Search Performed": search,
        "Provider Viewed": {"provider_id": text("result0"), "position": raw("position")},
        "Request Started": {"category": text("category"), "postal_code": text("postal_code")},
        "Calendar Opened": {"view": "week"},
        "Pixel Fired": {"pixel": "facebook", "pixel_event": "ViewContent", "category": text("category")},
        "Push Opened": {"template": "booking_reminder"},
        "Profile Edited": {"fields": ["phone"]},
    }
    choice = pl.coalesce(
        [pl.when(pl.col("kind") == name).then(rendered(template)) for name, template in by_kind.items()]
    )
    return frame.select(choice.fill_null("{}").alias("properties")).to_series()


def _rendered(
    rng: np.random.Generator, spec: WorldSpec, audience: Audience, rows: pl.DataFrame, count: int, first: int
) -> pl.DataFrame:
    actors = audience.actors.select(
        "account_id",
        "anonymous_id",
        "email",
        "context",
        "is_app",
        "analytics_consent",
        "marketing_consent",
        "analytics_until",
        "marketing_until",
    )
    rows = rows.with_columns(actors[rows["actor"].to_numpy()]).sort("received_at", maintain_order=True)
    skew = np.where(rng.random(count) < spec.wrong_clock_rate, rng.integers(2, 25, count) * 365 * DAY * 1_000, 0)
    skew *= np.where(rng.random(count) < 0.7, -1, 1)
    ids = stripe_ids("evt-", np.arange(first, first + count), salt=str(spec.seed))
    rows = rows.with_columns(
        text_series(ids, "message_id"),
        happened=pl.col("received_at") - pl.col("late") - pl.Series(rng.integers(800, 30_000, count)) + pl.Series(skew),
        sent=pl.col("received_at") - pl.Series(rng.integers(50, 700, count)) + pl.Series(skew),
    )
    return rows.with_columns(line=_line()).select("received_at", "line", "account_id")


def _time(column: str) -> pl.Expr:
    return text(pl.from_epoch(pl.col(column), time_unit="ms").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))


def _line() -> pl.Expr:
    kind = pl.col("kind")
    is_plain = kind.is_in(["page", "identify", "alias"])
    type_ = (
        pl.when(~is_plain)
        .then(pl.lit("track"))
        .when((kind == "page") & pl.col("is_app"))
        .then(pl.lit("screen"))
        .otherwise(kind)
    )
    seconds = pl.col("received_at") // 1_000
    allowed = {
        name: pl.col(f"{name}_consent") & (pl.col(f"{name}_until").is_null() | (pl.col(f"{name}_until") > seconds))
        for name in ("analytics", "marketing")
    }
    path = pl.coalesce(pl.col("properties").str.extract('"path":"([^"]*)"'), pl.lit("/tjenester"))
    page = {
        "path": text(path),
        "referrer": None,
        "search": "",
        "title": "Leii",
        "url": text(pl.lit("https://leii.example") + path),
    }
    context = pl.concat_str(
        [
            pl.col("context"),
            pl.lit(',"page":'),
            rendered(page),
            pl.lit(',"consent":{"categoryPreferences":{"analytics":'),
            raw(allowed["analytics"]),
            pl.lit(',"marketing":'),
            raw(allowed["marketing"]),
            pl.lit("}}"),
            pl.when(kind == "Push Opened")
            .then(pl.lit(',"campaign":{"name":"paaminnelse","source":"push"}'))
            .otherwise(pl.lit("")),
            pl.lit("}"),
        ]
    )
    traits = (
        pl.when(kind == "identify")
        .then(pl.concat_str([pl.lit('{"email":"'), pl.col("email"), pl.lit('"}')]))
        .otherwise(pl.lit("{}"))
    )
    template = {
        "messageId": text("message_id"),
        "type": text(type_),
        "event": text(pl.when(~is_plain).then(kind)),
        "anonymousId": text("anonymous_id"),
        "userId": text(pl.when("logged_in").then("account_id")),
        "timestamp": _time("happened"),
        "sentAt": _time("sent"),
        "receivedAt": _time("received_at"),
        "properties": raw("properties"),
        "traits": raw(traits),
        "context": context,
    }
    return rendered(template)
