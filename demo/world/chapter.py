"""A stretch of the world's life, from demand to payment, as versions: the same for its history and for each further day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from demo.world import books
from demo.world.aftermath import (
    case_versions,
    claim_versions,
    message_rows,
    review_versions,
    slot_versions,
    survey_rows,
)
from demo.world.bookings import as_drafts, booking_versions, make_lives
from demo.world.marketplace import Demand, candidate_versions, request_versions
from demo.world.payments import paid_bookings, payment_method_objects, payment_objects
from demo.world.randomness import frame_of, generator
from demo.world.spec import DAY


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """Versions of rows by table, versions of Stripe objects by type, balance entries not yet paid out, and the bookings.

    `books_truth`: where the app, Stripe's objects and its balances do not agree.
    """

    tables: dict[str, pl.DataFrame]
    objects: dict[str, pl.DataFrame]
    entries: pl.DataFrame
    life: pl.DataFrame
    books_truth: pl.DataFrame


def write_chapter(
    seed: int,
    step: int,
    people: pl.DataFrame,
    demand: Demand,
    planted: pl.DataFrame,
    window: tuple[int, int],
    ids: dict[str, int],
) -> Chapter:
    """Unfolds the demand of a window and planted drafts. `ids` has the next free ids by table and is moved on."""
    requests = demand.requests.with_columns(request_id=pl.col("request") + ids["service_request"])
    ids["service_request"] += requests.height
    numbers = requests.select("request", "request_id", "customer")
    candidates = demand.candidates.join(numbers, on="request", maintain_order="left")
    drafts = demand.drafts.join(numbers.drop("customer"), on="request", maintain_order="left")
    life = make_lives(
        generator(seed, "bookings", step), pl.concat([as_drafts(drafts), as_drafts(planted)]), ids["booking"]
    )
    ids["booking"] += life.height
    life = books.choose(life, window[1]) if step == 0 else life.with_columns(books=pl.lit(None, pl.String))
    tables = {
        "service_request": request_versions(people, requests),
        "request_candidate": candidate_versions(people, candidates),
        "booking": booking_versions(people, books.as_the_app_has_it(life)),
        "message": message_rows(generator(seed, "messages", step), people, life, candidates),
        "survey_response": survey_rows(generator(seed, "surveys", step), people, life),
    }
    numbered = {
        "availability_slot": slot_versions(
            generator(seed, "slots", step),
            people,
            life,
            max(window[0], window[1] - 60 * DAY),
            window[1],
            ids["availability_slot"],
        ),
        "review": review_versions(generator(seed, "reviews", step), people, life, ids["review"]),
        "insurance_claim": claim_versions(generator(seed, "claims", step), people, life, ids["insurance_claim"]),
        "support_case": case_versions(generator(seed, "cases", step), people, life, ids["support_case"]),
    }
    for name, key in (
        ("availability_slot", "slot_id"),
        ("review", "review_id"),
        ("insurance_claim", "claim_id"),
        ("support_case", "case_id"),
    ):
        ids[name] = max(ids[name], int(numbered[name][key].max() or 0) + 1)  # type: ignore[arg-type]
    paid = paid_bookings(people, books.as_stripe_has_it(life))
    objects = payment_objects(paid)
    entries = objects.pop("balance_transaction")
    objects["payment_method"] = payment_method_objects(people, life)
    truth = books.truth_of(paid, life)
    return Chapter(tables=tables | numbered, objects=objects, entries=entries, life=life, books_truth=truth)


def regular_bookings(
    rng: np.random.Generator, people: pl.DataFrame, offers: pl.DataFrame, start: int, now: int, count: int
) -> pl.DataFrame:
    """Drafts of households that book the same cleaner week after week, without a request: frequent, and innocent."""
    cleaners = offers.filter(pl.col("in_pool") & pl.col("category_id").is_in([1, 3, 8]))
    weights = people["customer_weight"].to_numpy()
    pairs = count // 12 + 1
    customer = rng.choice(np.flatnonzero(weights > 0), pairs)
    offer = rng.integers(0, cleaners.height, pairs)
    row = np.sort(np.concatenate([np.arange(pairs), rng.integers(0, pairs, max(count - pairs, 0))]))[:count]
    week = np.arange(len(row)) - np.searchsorted(row, row)
    joined = np.maximum(people["created_at"].to_numpy()[customer], cleaners["created_at"].to_numpy()[offer]) + 5 * DAY
    weeks = np.bincount(row, minlength=pairs)
    latest = np.maximum(now - 7 * DAY * weeks - DAY, start)
    first = latest - (rng.random(pairs) * np.maximum(latest - np.maximum(joined, start), 0)).astype(np.int64)
    booked = np.minimum(first[row] + 7 * DAY * week, now - 3_600 - row)
    return frame_of(
        {
            "customer": customer[row],
            "provider": cleaners["provider"].to_numpy()[offer][row],
            "category_id": cleaners["category_id"].to_numpy()[offer][row],
            "price_nok": np.round(cleaners["price_nok"].to_numpy()[offer][row] * 2),
            "booked_at": booked,
            "starts_at": (booked // DAY + 3) * DAY + 9 * 3_600,
        }
    ).filter(pl.col("customer") != pl.col("provider"))
