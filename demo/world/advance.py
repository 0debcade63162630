"""Playing a world on, day by day: from its own state, so that the same world goes on the same way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import psycopg

from demo.world import daily, output
from demo.world.bookings import as_drafts
from demo.world.chapter import Chapter, write_chapter
from demo.world.daily import Day, News
from demo.world.event_files import write_events
from demo.world.marketplace import demand_weights, make_demand, make_supply
from demo.world.spec import DAY, EVENT_HISTORY, WorldSpec
from demo.world.state import State, known_frauds, read_app_tables, read_state, write_state
from demo.world.stripe_daily import write_stripe_day
from demo.world.tables import TABLES, WORLD_TABLES, show, split_by_commit, with_assigned_keys
from demo.world.upserts import Connection, delete, rows_of_account, undecided_flags, upsert

Progress = Callable[[str], None]
Tables = dict[str, pl.DataFrame]
_PEOPLE_COLUMNS = (
    "account_id",
    "customer_id",
    "provider_id",
    "author_id",
    "subject_id",
    "sender_id",
    "recipient_id",
    "claimant_id",
    "about_account_id",
)


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """A day worked out: the app's tables after it, what of that is new or gone, what waits, and who left."""

    merged: Tables
    changes: Tables
    gone: Tables
    waiting: Tables
    leaver: str | None


def advance(world: Path, days: int, admin_dsn: str, *, progress: Progress = lambda _: None) -> dict[str, Any]:
    """Plays `days` days on, in the world's folder and in PostgreSQL; gives the new `world.json`.

    PostgreSQL is committed before the folder changes and `world.json` is written last: after a crash, playing the same
    day again brings the same rows under the same keys.
    """
    if days < 1:
        raise ValueError(f"days must be at least 1, not {days}")
    content = output.read_world_file(world)
    with psycopg.connect(admin_dsn) as connection:
        for number in range(days):
            progress(f"day {number + 1} of {days}")
            content = _play_day(world, content, connection)
    return content


def _play_day(world: Path, content: dict[str, Any], connection: Connection) -> dict[str, Any]:
    ids: dict[str, int] = dict(content["next_ids"])
    spec = WorldSpec.from_json(content["spec"])
    day = Day(spec=spec, step=content["step"] + 1, start=content["now"], end=content["now"] + DAY)
    state, shown = read_state(world), read_app_tables(world)
    news, chapter, truth = _news(day, state, shown, content["requests_per_weight"], ids)
    flags = daily.decisions(day, undecided_flags(connection), known_frauds(world), ids["fraud_flag_decision"])
    ids["fraud_flag_decision"] += flags.height
    plan = _plan(day, state, shown, news, flags, ids)
    _commit(connection, plan)
    news = replace(news, people=_without_leaver(news.people, plan.leaver))
    for name, frame in plan.merged.items():
        if plan.changes[name].height or name in plan.gone:
            output.write_table(world / "app_db", name, frame)
    stripe = write_stripe_day(world, day, state, news.objects, chapter, shown["account"], plan.leaver, ids)
    count = max(1, round(spec.events * 1.25 * DAY / EVENT_HISTORY))
    lines = write_events(
        world,
        spec,
        news.people,
        plan.merged,
        step=day.step,
        window=(day.start, day.end),
        count=count,
        first=ids["tracking_event"],
    )
    ids["tracking_event"] += count
    _write_truth(world, day, truth, plan.leaver)
    state = replace(
        stripe.state,
        people=news.people,
        offers=news.offers,
        tables=plan.waiting,
        privacy_truth=truth.filter(pl.col("visible_from") > day.end),
    )
    write_state(world, state)
    counts = content["counts"] | {f"app.{name}": frame.height for name, frame in plan.merged.items()} | stripe.counts
    counts["events"] += lines
    content = content | {"now": day.end, "step": day.step, "next_ids": ids, "counts": counts}
    output.write_world_file(world, content)
    return content


def _news(
    day: Day, state: State, shown: Tables, requests_per_weight: float, ids: dict[str, int]
) -> tuple[News, Chapter, pl.DataFrame]:
    """Everything that today brings, and the truth about privacy requests that are not in the truth file yet."""
    fresh = daily.newcomers(day, state.people, state.offers, ids)
    edited = daily.changed_details(day, fresh.people, shown)
    people, requests, truth = daily.privacy_requests(day, edited.people, shown, ids["privacy_request"])
    ids["privacy_request"] += truth.height
    stayed = people.filter(~pl.col("gone"))["person"]
    offers = fresh.offers.with_columns(pl.col("in_pool") & pl.col("provider").is_in(stayed.implode()))
    rng = day.generator("demand")
    weight = demand_weights(day.start, day.end, day.spec.start)[1].sum()
    demand = make_demand(
        rng,
        people,
        make_supply(people, offers),
        day.start,
        day.end,
        day.spec.start,
        1 + int(rng.poisson(requests_per_weight * float(weight))),
    )
    nothing = as_drafts(demand.drafts.clear())
    chapter = write_chapter(day.spec.seed, day.step, people, demand, nothing, (day.start, day.end), ids)
    own = {"privacy_request": requests, "login": daily.logins(day, people)}
    tables = daily.joined([fresh.tables, edited.tables, chapter.tables, own])
    objects = daily.joined([fresh.objects, edited.objects])
    news = News(people=people, offers=offers, tables=tables, objects=objects)
    return news, chapter, pl.concat([state.privacy_truth, truth.select(state.privacy_truth.columns)])


def _plan(day: Day, state: State, shown: Tables, news: News, flags: pl.DataFrame, ids: dict[str, int]) -> _Plan:
    versions = daily.joined([state.tables, news.tables])
    changes: Tables = {}
    waiting: Tables = {}
    for name in WORLD_TABLES:
        table = TABLES[name]
        past, waiting[name] = (
            split_by_commit(name, versions[name], day.end) if name in versions else (flags, flags.clear())
        )
        rows = past if name == "fraud_flag_decision" else with_assigned_keys(table, show(table, past), ids.get(name, 0))
        if table.assigned_key:
            ids[name] += rows.height
        changes[name] = table.finish(rows)
    merged = {name: _merged(name, shown[name], changes[name]) for name in WORLD_TABLES}
    leaver = daily.leaver(day, news.people)
    gone = {} if leaver is None else rows_of_account(merged, leaver)
    for name, keys in gone.items():
        merged[name] = merged[name].join(keys, on=TABLES[name].key, how="anti", maintain_order="left")
    waiting = {name: _without(frame, leaver, gone) for name, frame in waiting.items() if name != "fraud_flag_decision"}
    return _Plan(merged=merged, changes=changes, gone=gone, waiting=waiting, leaver=leaver)


def _merged(name: str, old: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """The table after the changes, ordered by key."""
    key = list(TABLES[name].key)
    kept = old.join(changes, on=key, how="anti", maintain_order="left")
    return pl.concat([kept, changes.select(old.columns)]).sort(key)


def _without(versions: pl.DataFrame, leaver: str | None, gone: Tables) -> pl.DataFrame:
    """The versions that have nothing to do with somebody who has left."""
    if leaver is None:
        return versions
    keep = pl.lit(True)
    for column in _PEOPLE_COLUMNS:
        if column in versions.columns:
            keep &= (pl.col(column) != leaver).fill_null(True)
    for parent, column in (("service_request", "request_id"), ("booking", "booking_id")):
        if column in versions.columns and parent in gone:
            keep &= ~pl.col(column).is_in(gone[parent][column].implode()).fill_null(False)
    return versions.filter(keep)


def _without_leaver(people: pl.DataFrame, leaver: str | None) -> pl.DataFrame:
    left = pl.col("account_id") == pl.lit(leaver, pl.String)
    return people.with_columns(
        gone=pl.col("gone") | left.fill_null(False),
        customer_weight=pl.when(left.fill_null(False)).then(0.0).otherwise("customer_weight"),
    )


def _commit(connection: Connection, plan: _Plan) -> None:
    """The whole day in one transaction."""
    with connection.transaction():
        for name in WORLD_TABLES:
            upsert(connection, TABLES[name], plan.changes[name])
        for name in reversed(WORLD_TABLES):
            if name in plan.gone:
                delete(connection, TABLES[name], plan.gone[name])
    connection.commit()


def _write_truth(world: Path, day: Day, truth: pl.DataFrame, leaver: str | None) -> None:
    visible = truth.filter((pl.col("visible_from") > day.start) & (pl.col("visible_from") <= day.end))
    output.append_json_rows(world / "truth" / "privacy_requests.jsonl", visible)
    left = [] if leaver is None else [leaver]
    rows = pl.DataFrame(
        {"account_id": left, "vanished_at": [day.end] * len(left)},
        schema={"account_id": pl.String, "vanished_at": pl.Int64},
    )
    output.append_json_rows(world / "truth" / "vanished.jsonl", rows)
