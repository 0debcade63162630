"""Supply and demand: requests by season, town and hour, who they are shown to, what those answer, what is booked.

Times are seconds since 1970; `customer` and `provider` are row numbers of `people`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from demo.world import places, texts
from demo.world.categories import CATEGORIES, field, season_matrix
from demo.world.randomness import Floats, Ints, frame_of, pair_uniform, text_series
from demo.world.spec import DAY, HISTORY, HOUR

MOST_CANDIDATES = 6
REQUEST_LIFETIME = 7 * DAY
_HOURS = np.array(
    [0.2, 0.1, 0.05, 0.05, 0.1, 0.4, 1, 2, 3, 4, 4.5, 4.2, 4, 3.6, 3.4, 3.2, 3.4, 4, 5, 5.5, 5, 3.5, 1.8, 0.7]
)
_LOCAL_OFFSET = HOUR  # Norwegian winter time: people sleep by it, summer time is left out


@dataclass(frozen=True, kw_only=True)
class Supply:
    """The offers that chance may send requests to, laid out by category and region so that a slice is a pool."""

    provider: Ints
    price_nok: Floats
    published_at: Ints
    start: Ints
    size: Ints
    region_factor: Floats


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What a stretch of time brought: requests, candidates, and drafts of the bookings that came of them."""

    requests: pl.DataFrame
    candidates: pl.DataFrame
    drafts: pl.DataFrame


def make_supply(people: pl.DataFrame, offers: pl.DataFrame) -> Supply:
    """The pools; a category that a region lacks is a pool of size 0."""
    chosen = offers.filter("in_pool")
    provider = chosen["provider"].to_numpy()
    region = places.regions()[people["place"].to_numpy()[provider]]
    pool = (chosen["category_id"].to_numpy() - 1) * places.REGION_COUNT + region
    order = np.lexsort((-people["quality"].to_numpy()[provider], pool))
    pools = len(CATEGORIES) * places.REGION_COUNT
    size = np.bincount(pool, minlength=pools)
    factor = np.array([0.0] * places.REGION_COUNT)
    for place in places.PLACES:
        factor[place.region] = place.supply_factor
    return Supply(
        provider=provider[order],
        price_nok=chosen["price_nok"].to_numpy()[order],
        published_at=chosen["created_at"].to_numpy()[order] + 2 * DAY,
        start=np.cumsum(size) - size,
        size=size,
        region_factor=factor,
    )


def demand_weights(start: int, end: int, origin: int) -> tuple[Ints, Floats]:
    """Hours from `start` to `end` and the weight of each category in each: growth, season, weekday and hour of day.

    Comparable between stretches of time that have the same `origin`.
    """
    hours = np.arange(start // HOUR, (end + HOUR - 1) // HOUR) * HOUR
    local = hours + _LOCAL_OFFSET
    month = local.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64) % 12
    is_weekend = (local // DAY + 3) % 7 >= 5
    weights = season_matrix()[:, month] * field("weight")[:, None]
    weights *= np.where(is_weekend, field("weekend")[:, None], 1.0)
    weights *= (1 + 0.9 * (hours - origin) / HISTORY) * _HOURS[local // HOUR % 24]
    inside = np.minimum(hours + HOUR, end) - np.maximum(hours, start)
    return hours, weights * inside / HOUR


def make_demand(
    rng: np.random.Generator, people: pl.DataFrame, supply: Supply, start: int, end: int, origin: int, count: int
) -> Demand:
    """`count` requests between `start` and `end`, and all that comes of them, also after `end`. No ids are given yet."""
    requests = _make_requests(rng, people, start, end, origin, count)
    candidates = _make_candidates(rng, people, supply, requests)
    return _settle(rng, people, requests, candidates)


def _make_requests(
    rng: np.random.Generator, people: pl.DataFrame, start: int, end: int, origin: int, count: int
) -> pl.DataFrame:
    hours, weights = demand_weights(start, end, origin)
    steps = np.cumsum(weights.T.ravel())
    slot = np.searchsorted(steps, rng.random(count) * steps[-1], side="right").clip(0, len(steps) - 1)
    category = slot % len(CATEGORIES)
    created = (hours[slot // len(CATEGORIES)] + rng.integers(0, HOUR, count)).clip(start, end - 1)
    order = np.argsort(created, kind="stable")
    created, category = created[order], category[order]
    customer = _customers(rng, people, created)
    customer_place = people["place"].to_numpy()[customer]
    weight = places.numbers("weight")
    elsewhere = rng.random(count) < 0.07
    other = np.searchsorted(np.cumsum(weight), rng.random(count) * weight.sum()).clip(0, len(weight) - 1)
    place = np.where(elsewhere, other, customer_place)
    latitude = np.where(elsewhere, places.numbers("latitude")[place], people["latitude"].to_numpy()[customer])
    longitude = np.where(elsewhere, places.numbers("longitude")[place], people["longitude"].to_numpy()[customer])
    wanted_from = (created // DAY + rng.integers(1, 15, count)) * DAY + rng.integers(6, 16, count) * HOUR
    return frame_of(
        {
            "request": np.arange(count),
            "customer": customer,
            "category_id": category + 1,
            "place": place,
            "latitude": np.round(latitude + rng.normal(0, 0.0005, count), 6),
            "longitude": np.round(longitude + rng.normal(0, 0.001, count), 6),
            "created_at": created,
            "wanted_from": wanted_from,
            "wanted_to": wanted_from + rng.integers(1, 5, count) * DAY,
            "gives_up": rng.random(count) < 0.05,
        }
    ).with_columns(
        texts.fill(rng, texts.REQUEST, people[customer]).alias("description"),
        people["address_line"].gather(customer).alias("address_line"),
    )


def _customers(rng: np.random.Generator, people: pl.DataFrame, at: Ints) -> Ints:
    """For each moment somebody who had joined by then; people are ordered by when they joined."""
    steps = np.cumsum(people["customer_weight"].to_numpy())
    joined = np.searchsorted(people["created_at"].to_numpy(), at, side="left")
    limit = np.where(joined > 0, steps[np.maximum(joined - 1, 0)], 0)
    limit = np.where(limit > 0, limit, steps[-1])
    return np.searchsorted(steps, rng.random(len(at)) * limit, side="right").clip(0, people.height - 1)


def _make_candidates(
    rng: np.random.Generator, people: pl.DataFrame, supply: Supply, requests: pl.DataFrame
) -> pl.DataFrame:
    count = requests.height
    category = requests["category_id"].to_numpy() - 1
    home = places.regions()[requests["place"].to_numpy()]
    # Where nobody near does it, some are shown to a neighbouring region.
    near = category * places.REGION_COUNT + home
    far = category * places.REGION_COUNT + (home + rng.integers(1, places.REGION_COUNT, count)) % places.REGION_COUNT
    pool = np.where((supply.size[near] == 0) & (rng.random(count) < 0.6), far, near)
    size = supply.size[pool]
    wanted = (1 + rng.poisson(3.2 * supply.region_factor[home])).clip(1, MOST_CANDIDATES)
    shown = np.minimum(wanted, size)
    request = np.repeat(np.arange(count), shown)
    within = np.arange(len(request)) - np.repeat(np.cumsum(shown) - shown, shown)
    first = (rng.random(count) ** 1.4 * np.maximum(size, 1)).astype(np.int64)
    slot = supply.start[pool][request] + (first[request] + within) % np.maximum(size[request], 1)
    provider = supply.provider[slot]
    created = requests["created_at"].to_numpy()[request]
    shown_at = created + rng.integers(5, 240, len(request))
    keep = (supply.published_at[slot] < created) & (provider != requests["customer"].to_numpy()[request])
    units = field("hours")[category[request]] * np.exp(rng.normal(0, 0.3, len(request)))
    is_hourly = np.array([c.unit == "hour" for c in CATEGORIES])[category[request]]
    price = supply.price_nok[slot] * np.where(is_hourly, np.maximum(np.round(units * 2) / 2, 1), 1)
    quality = people["quality"].to_numpy()[provider]
    frame = frame_of(
        {
            "request": request,
            "provider": provider,
            "price_nok": np.round(price),
            "shown_at": shown_at,
            "score": quality + rng.normal(0, 0.15, len(request)),
            "answer": rng.random(len(request)),
            "latency": np.exp(rng.normal(0, 0.8, len(request))) * people["reply_minutes"].to_numpy()[provider] * 60,
            "quality": quality,
        }
    ).filter(pl.Series(keep))
    return frame.sort(["request", "score"], descending=[False, True], maintain_order=True).with_columns(
        rank_position=pl.int_range(pl.len()).over("request") + 1
    )


def _settle(rng: np.random.Generator, people: pl.DataFrame, requests: pl.DataFrame, candidates: pl.DataFrame) -> Demand:
    """Who accepts, whom the customer takes of those who did, and when."""
    answers = candidates.with_columns(
        response=pl.when(pl.col("answer") < 0.22 + 0.42 * pl.col("quality"))
        .then(pl.lit("accepted"))
        .when(pl.col("answer") < 0.8)
        .then(pl.lit("declined"))
        .otherwise(pl.lit("expired")),
        responded_at=pl.col("shown_at") + pl.col("latency").clip(60, 70 * HOUR).cast(pl.Int64),
    )
    answers = answers.with_columns(appeal=appeal(rng, people, requests, answers))
    taken = (
        answers.filter(pl.col("response") == "accepted")
        .sort(["request", "appeal"], descending=[False, True], maintain_order=True)
        .group_by("request", maintain_order=True)
        .agg(
            pl.col("provider").first(),
            pl.col("price_nok").first(),
            pl.col("responded_at").first().alias("accepted_at"),
            pl.len().alias("offers"),
        )
    )
    chosen = requests.join(taken, on="request", how="left", maintain_order="left").with_columns(
        pl.Series("takes", rng.random(requests.height) < 0.84),
        pl.Series("thinks", np.exp(rng.normal(8.6, 1.1, requests.height)).clip(120, 3 * DAY).astype(np.int64)),
    )
    chosen = chosen.with_columns(booked_at=pl.col("accepted_at") + pl.col("thinks")).with_columns(
        is_booked=pl.col("provider").is_not_null()
        & pl.col("takes")
        & ~pl.col("gives_up")
        & (pl.col("booked_at") < pl.col("created_at") + REQUEST_LIFETIME)
    )
    starts = pl.max_horizontal("wanted_from", (pl.col("booked_at") // HOUR + 3) * HOUR)
    drafts = chosen.filter("is_booked").select(
        "request", "customer", "provider", "category_id", "price_nok", "booked_at", starts_at=starts
    )
    return Demand(requests=chosen.drop("provider", "price_nok"), candidates=answers, drafts=drafts)


def appeal(rng: np.random.Generator, people: pl.DataFrame, requests: pl.DataFrame, answers: pl.DataFrame) -> pl.Series:
    """What each candidate is worth to the customer: a logit of place in the list, quality, distance, price, waiting and taste.

    Taste is a customer's own liking of a provider, the same at every meeting, so that who was booked is booked again.
    """
    request, provider = answers["request"].to_numpy(), answers["provider"].to_numpy()
    there = [requests[name].to_numpy()[request] for name in ("latitude", "longitude")]
    here = [people[name].to_numpy()[provider] for name in ("latitude", "longitude")]
    east = (there[1] - here[1]) * np.cos(np.radians(there[0]))
    distance = 111.2 * np.hypot(there[0] - here[0], east)
    waited = (answers["responded_at"] - answers["shown_at"]).to_numpy() / HOUR
    price = (answers["price_nok"] / answers.select(pl.col("price_nok").mean().over("request")).to_series()).to_numpy()
    taste = pair_uniform(requests["customer"].to_numpy()[request], provider)
    chance = rng.spawn(1)[0].gumbel(0, 0.6, answers.height)  # leaves the draws of everything else as they are
    worth = (
        2.5 * answers["quality"].to_numpy() - 0.2 * answers["rank_position"].to_numpy() - 0.6 * np.log1p(distance)
        - 2.0 * price - 0.6 * np.log1p(waited) + 2.0 * taste + chance
    )  # fmt: skip
    return pl.Series("appeal", worth)


def keep_bookings(demand: Demand, rng: np.random.Generator, now: int, wanted: int) -> Demand:
    """The demand with exactly `wanted` of its bookings made by `now`; the customers of the others took nobody."""
    made = demand.drafts.filter(pl.col("booked_at") <= now)["request"].to_numpy()
    dropped = rng.choice(made, size=len(made) - wanted, replace=False) if len(made) > wanted else made[:0]
    gone = pl.Series("request", np.sort(dropped))
    return Demand(
        requests=demand.requests.with_columns(is_booked=pl.col("is_booked") & ~pl.col("request").is_in(gone.implode())),
        candidates=demand.candidates,
        drafts=demand.drafts.filter(~pl.col("request").is_in(gone.implode())),
    )


def request_versions(people: pl.DataFrame, requests: pl.DataFrame) -> pl.DataFrame:
    """Open when made; then matched, cancelled by the customer, or expired."""
    place = requests["place"].to_numpy()
    base = requests.select(
        "request_id",
        "category_id",
        "description",
        "address_line",
        "latitude",
        "longitude",
        "wanted_from",
        "wanted_to",
        "created_at",
        "booked_at",
        "is_booked",
        "gives_up",
        "thinks",
        people["account_id"].gather(requests["customer"]).alias("customer_id"),
        text_series(places.column("postal_code")[place], "postal_code"),
    )
    end = pl.col("created_at") + REQUEST_LIFETIME
    closed = base.with_columns(
        status=pl.when("is_booked")
        .then(pl.lit("matched"))
        .when("gives_up")
        .then(pl.lit("cancelled"))
        .otherwise(pl.lit("expired")),
        valid_from=pl.when("is_booked")
        .then("booked_at")
        .when("gives_up")
        .then(pl.col("created_at") + pl.col("thinks"))
        .otherwise(end),
    )
    opened = base.with_columns(status=pl.lit("open"), valid_from=pl.col("created_at"))
    return pl.concat([opened, closed]).drop("booked_at", "is_booked", "gives_up", "thinks")


def candidate_versions(people: pl.DataFrame, candidates: pl.DataFrame) -> pl.DataFrame:
    """Pending when shown; then accepted or declined, or expired after three days."""
    base = candidates.select(
        "request_id",
        "rank_position",
        "price_nok",
        "shown_at",
        "responded_at",
        "response",
        people["account_id"].gather(candidates["provider"]).alias("provider_id"),
    )
    silent = pl.col("response") == "expired"
    answered = base.with_columns(
        valid_from=pl.when(silent).then(pl.col("shown_at") + 72 * HOUR).otherwise("responded_at"),
        responded_at=pl.when(silent).then(None).otherwise("responded_at"),
    )
    shown = base.with_columns(
        response=pl.lit("pending"), responded_at=pl.lit(None, pl.Int64), valid_from=pl.col("shown_at")
    )
    return pl.concat([shown, answered.select(shown.columns)])
