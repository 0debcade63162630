"""What people do around a booking: calendar, chat, reviews, claims, complaints, surveys."""

from __future__ import annotations

import numpy as np
import polars as pl

from demo.world import texts
from demo.world.randomness import frame_of, pick, text_series
from demo.world.spec import DAY, HOUR
from demo.world.tables import stack

_TOPICS = ("payment", "quality", "harassment", "spam", "fraud", "other")
_TOPIC_WEIGHTS = np.array([0.3, 0.25, 0.02, 0.03, 0.03, 0.37])
_CHANNELS = ("email", "chat", "phone", "feedback_form")


def slot_versions(
    rng: np.random.Generator, people: pl.DataFrame, life: pl.DataFrame, start: int, end: int, first_id: int
) -> pl.DataFrame:
    """The calendar: an open slot that each booking takes (and a cancelled one frees), and slots that nobody took."""
    ids = pl.int_range(first_id, first_id + life.height)
    taken = life.select(
        ids.alias("slot_id"),
        people["account_id"].gather(life["provider"]).alias("provider_id"),
        "starts_at",
        "ends_at",
        "booked_at",
        "cancelled_at",
    )
    opened_before = pl.Series(rng.integers(DAY, 20 * DAY, life.height))
    opened = taken.with_columns(state=pl.lit("open"), valid_from=pl.col("booked_at") - opened_before)
    booked = taken.with_columns(state=pl.lit("booked"), valid_from=pl.col("booked_at"))
    freed = taken.filter(pl.col("cancelled_at").is_not_null()).with_columns(
        state=pl.lit("open"), valid_from=pl.col("cancelled_at")
    )
    columns = ["slot_id", "provider_id", "starts_at", "ends_at", "state", "valid_from"]
    free = _free_slots(rng, people, start, end, first_id + life.height)
    return pl.concat([frame.select(columns) for frame in (opened, booked, freed, free)])


def _free_slots(rng: np.random.Generator, people: pl.DataFrame, start: int, end: int, first_id: int) -> pl.DataFrame:
    providers = people.filter(pl.col("is_provider") & ~pl.col("gone"))
    count = rng.poisson(providers.height * (end - start) / (50 * DAY))
    who = rng.integers(0, max(providers.height, 1), count)
    made = start + (rng.random(count) * (end - start)).astype(np.int64)
    made = np.maximum(made, providers["created_at"].to_numpy()[who] + 3 * DAY)
    begins = (made // DAY + rng.integers(1, 28, count)) * DAY + rng.integers(6, 18, count) * HOUR
    return frame_of(
        {
            "slot_id": np.arange(first_id, first_id + count),
            "provider_id": providers["account_id"].gather(who),
            "starts_at": begins,
            "ends_at": begins + rng.integers(1, 9, count) * HOUR,
            "state": np.where(rng.random(count) < 0.85, "open", "blocked"),
            "valid_from": made,
        }
    )


def message_rows(
    rng: np.random.Generator, people: pl.DataFrame, life: pl.DataFrame, candidates: pl.DataFrame
) -> pl.DataFrame:
    """The chat: some lines before the booking, a conversation about it, thanks after. Append-only rows."""
    talks = candidates.filter((pl.col("response") == "accepted") & pl.Series(rng.random(candidates.height) < 0.35))
    before = talks.select(
        "customer",
        "provider",
        conversation_id=pl.col("request_id") * 10 + pl.col("rank_position"),
        booking_id=pl.lit(None, pl.Int64),
        sent_at=pl.col("responded_at") + 30,
        by_provider=pl.lit(True),
    )
    opening = before.with_columns(body=texts.fill(rng, texts.MESSAGE_BEFORE, people[talks["provider"]]))
    lines = rng.poisson(2.2, life.height)
    row = np.repeat(np.arange(life.height), lines)
    about = life[row].select("customer", "provider", "booking_id", "booked_at", "ends_at")
    share = rng.random(len(row))
    about = about.select(
        "customer",
        "provider",
        "booking_id",
        conversation_id=pl.col("booking_id") * 10 + 100_000_000,
        sent_at=pl.col("booked_at")
        + ((pl.col("ends_at") + 6 * HOUR - pl.col("booked_at")) * pl.Series(share)).cast(pl.Int64),
        by_provider=pl.Series(rng.random(len(row)) < 0.5),
    )
    sender = np.where(about["by_provider"].to_numpy(), about["provider"].to_numpy(), about["customer"].to_numpy())
    about = about.with_columns(body=texts.fill(rng, texts.MESSAGE, people[sender]))
    return as_messages(people, stack([opening, about]))


def as_messages(people: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Message rows of `customer`, `provider`, `by_provider`, `sent_at`, `body`, `conversation_id`, `booking_id`."""
    sender = np.where(rows["by_provider"].to_numpy(), rows["provider"].to_numpy(), rows["customer"].to_numpy())
    recipient = np.where(rows["by_provider"].to_numpy(), rows["customer"].to_numpy(), rows["provider"].to_numpy())
    return rows.select(
        "conversation_id",
        "booking_id",
        "body",
        "sent_at",
        people["account_id"].gather(sender).alias("sender_id"),
        people["account_id"].gather(recipient).alias("recipient_id"),
        pl.col("sent_at").alias("valid_from"),
    )


def review_versions(rng: np.random.Generator, people: pl.DataFrame, life: pl.DataFrame, first_id: int) -> pl.DataFrame:
    """Over half of the customers and a fifth of the providers review; one in twenty changes it later."""
    count = life.height
    done = (life["paid_at"].is_not_null() & (life["part"].is_null() | life["review_rating"].is_not_null())).to_numpy()
    fixed = life["review_rating"].fill_null(0).to_numpy()
    by_customer = np.flatnonzero(done & ((rng.random(count) < 0.55) | (fixed > 0)))
    by_provider = np.flatnonzero(done & (rng.random(count) < 0.2) & (fixed == 0))
    row = np.concatenate([by_customer, by_provider])
    is_customer = np.arange(len(row)) < len(by_customer)
    about = life[row]
    customer, provider = about["customer"].to_numpy(), about["provider"].to_numpy()
    author, subject = np.where(is_customer, customer, provider), np.where(is_customer, provider, customer)
    quality = people["quality"].to_numpy()[subject]
    rating = np.clip(np.round(1.6 + 3.9 * quality + rng.normal(0, 0.7, len(row))), 1, 5).astype(np.int64)
    rating = np.where(fixed[row] > 0, fixed[row], rating)
    created = about["completed_at"].to_numpy() + rng.integers(HOUR, 10 * DAY, len(row))
    base = frame_of(
        {
            "review_id": np.arange(first_id, first_id + len(row)),
            "booking_id": about["booking_id"],
            "author_id": people["account_id"].gather(author),
            "subject_id": people["account_id"].gather(subject),
            "rating": rating,
            "body": _review_texts(rng, people[subject], rating),
            "created_at": created,
            "valid_from": created,
        }
    )
    edited = (rng.random(len(row)) < 0.05) & (fixed[row] == 0)
    later = base.filter(pl.Series(edited)).with_columns(
        rating=(pl.col("rating") - 1).clip(1),
        valid_from=pl.col("valid_from") + pl.Series(rng.integers(HOUR, 9 * DAY, int(edited.sum()))),
    )
    return pl.concat([base, later])


def _review_texts(rng: np.random.Generator, subjects: pl.DataFrame, rating: np.ndarray) -> pl.Series:
    good = texts.fill(rng, texts.REVIEW_GOOD, subjects)
    middling = texts.fill(rng, texts.REVIEW_MIDDLING, subjects)
    bad = texts.fill(rng, texts.REVIEW_BAD, subjects)
    frame = frame_of({"good": good, "middling": middling, "bad": bad, "rating": rating})
    written = pl.Series(rng.random(frame.height) < 0.8)
    return frame.select(
        pl.when(~written)
        .then(None)
        .when(pl.col("rating") >= 4)
        .then("good")
        .when(pl.col("rating") == 3)
        .then("middling")
        .otherwise("bad")
        .alias("body")
    ).to_series()


def claim_versions(rng: np.random.Generator, people: pl.DataFrame, life: pl.DataFrame, first_id: int) -> pl.DataFrame:
    """Insurance claims after jobs: filed, then approved or rejected, then settled; planted ones stay as they are fixed."""
    chance = life["part"].is_null() & life["completed_at"].is_not_null() & pl.Series(rng.random(life.height) < 0.008)
    about = life.filter(chance | life["claim_status"].is_not_null())
    count = about.height
    filed = pl.Series(about["completed_at"].to_numpy() + rng.integers(2 * HOUR, 10 * DAY, count))
    base = about.select(
        pl.int_range(first_id, first_id + count).alias("claim_id"),
        "booking_id",
        people["account_id"].gather(about["customer"]).alias("claimant_id"),
        texts.fill(rng, texts.CLAIM, people[about["customer"]]).alias("description"),
        pl.Series("amount_nok", np.round(np.exp(rng.normal(8.2, 0.8, count)), -1)),
        pl.coalesce("claimed_at", filed).alias("filed_at"),
        pl.lit(None, pl.Int64).alias("settled_at"),
        pl.col("claim_status"),
    )
    open_ones = base.with_columns(status=pl.lit("filed"), valid_from=pl.col("filed_at"))
    moving = base.filter(pl.col("claim_status").is_null())
    decided_at = pl.col("filed_at") + pl.Series(rng.integers(3 * DAY, 25 * DAY, moving.height))
    approved = pl.Series(rng.random(moving.height) < 0.7)
    decided = moving.with_columns(
        status=pl.when(approved).then(pl.lit("approved")).otherwise(pl.lit("rejected")), valid_from=decided_at
    )
    settled = decided.filter(pl.col("status") == "approved").with_columns(
        status=pl.lit("settled"), settled_at=pl.col("valid_from") + 5 * DAY, valid_from=pl.col("valid_from") + 5 * DAY
    )
    return pl.concat([open_ones, decided, settled]).drop("claim_status")


def case_versions(rng: np.random.Generator, people: pl.DataFrame, life: pl.DataFrame, first_id: int) -> pl.DataFrame:
    """Support cases by ordinary people about their bookings, opened and closed."""
    about = life.filter(pl.Series(rng.random(life.height) < 0.035) & life["part"].is_null())
    count = about.height
    topic = pick(rng, _TOPIC_WEIGHTS, count)
    complains = np.isin(topic, [1, 2, 4])
    opened = about["booked_at"].to_numpy() + rng.integers(HOUR, 20 * DAY, count)
    topics = [_TOPICS[t] for t in topic]
    rows = frame_of(
        {
            "account_id": people["account_id"].gather(about["customer"]).set(pl.Series(rng.random(count) < 0.05), None),
            "channel": np.array(_CHANNELS, dtype=object)[rng.integers(0, 4, count)],
            "topic": text_series(topics),
            "about_account_id": people["account_id"].gather(about["provider"]).set(pl.Series(~complains), None),
            "opened_at": opened,
            "closed_at": opened + np.exp(rng.normal(11.2, 1.1, count)).astype(np.int64),
            "who": about["customer"],
        },
    )
    return as_cases(rng, people, rows, first_id)


def as_cases(rng: np.random.Generator, people: pl.DataFrame, rows: pl.DataFrame, first_id: int) -> pl.DataFrame:
    """Support cases with subject and text, opened and, where `closed_at` is set, closed."""
    writers = people[rows["who"]]
    bodies = frame_of({topic: texts.fill(rng, texts.CASE[topic], writers) for topic in _TOPICS})
    chosen = pl.coalesce([pl.when(pl.col("topic") == topic).then(pl.col(f"text_{topic}")) for topic in _TOPICS])
    base = (
        rows.hstack(bodies.rename(lambda name: f"text_{name}"))
        .with_columns(
            pl.int_range(first_id, first_id + rows.height).alias("case_id"),
            pl.col("topic").replace_strict(texts.CASE_SUBJECT, return_dtype=pl.String).alias("subject"),
            chosen.alias("body"),
        )
        .drop("who", *[f"text_{topic}" for topic in _TOPICS])
    )
    opened = base.with_columns(closed_at=pl.lit(None, pl.Int64), valid_from=pl.col("opened_at"))
    closed = base.filter(pl.col("closed_at").is_not_null()).with_columns(valid_from=pl.col("closed_at"))
    return pl.concat([opened, closed])


def survey_rows(rng: np.random.Generator, people: pl.DataFrame, life: pl.DataFrame) -> pl.DataFrame:
    """Answers to the surveys that follow some jobs; some come without an account."""
    about = life.filter(pl.Series(rng.random(life.height) < 0.07) & life["completed_at"].is_not_null())
    count = about.height
    comment = texts.fill(rng, texts.COMMENT, people[about["customer"]])
    nps = np.clip(np.round(rng.normal(7.6, 2.1, count)), 0, 10).astype(np.int64)
    at = about["completed_at"].to_numpy() + rng.integers(DAY, 6 * DAY, count)
    frame = frame_of(
        {
            "account_id": people["account_id"].gather(about["customer"]).set(pl.Series(rng.random(count) < 0.1), None),
            "survey": np.where(rng.random(count) < 0.7, "after_booking", "yearly"),
            "submitted_at": at,
            "valid_from": at,
            "nps": nps,
            "comment": comment,
        }
    )
    written = pl.Series(rng.random(count) < 0.5)
    answers = (
        pl.when(written)
        .then(
            pl.concat_str(pl.lit('{"nps": '), pl.col("nps"), pl.lit(', "comment": "'), pl.col("comment"), pl.lit('"}'))
        )
        .otherwise(pl.concat_str(pl.lit('{"nps": '), pl.col("nps"), pl.lit("}")))
    )
    return frame.select("account_id", "survey", "submitted_at", "valid_from", answers.alias("answers"))
