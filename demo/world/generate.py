"""Making a world from nothing: the same spec gives the same bytes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from demo.world import accounts, output
from demo.world.books import with_wrong_payouts
from demo.world.cast import planned
from demo.world.categories import CATEGORIES
from demo.world.chapter import regular_bookings, write_chapter
from demo.world.event_files import write_events
from demo.world.fraud import plant_fraud, takeover_profiles
from demo.world.marketplace import Demand, Supply, demand_weights, keep_bookings, make_demand, make_supply
from demo.world.payments import balance_versions, paid_out_versions
from demo.world.payouts import make_payouts, payout_entries, payout_versions
from demo.world.planted import Planted, Stage
from demo.world.privacy import plant_privacy
from demo.world.randomness import generator
from demo.world.security import LOGIN_HISTORY, ban_rows, consent_rows, login_rows
from demo.world.spec import DAY, WorldSpec
from demo.world.state import State, write_state
from demo.world.stripe_files import departed_customers, newest_objects, ordered, rendered_lines
from demo.world.stripe_merge import write_new
from demo.world.stripe_people import customer_objects, provider_objects
from demo.world.stripe_templates import OBJECT_TYPES
from demo.world.tables import TABLES, WORLD_TABLES, show, split_at, stack, with_assigned_keys

Progress = Callable[[str], None]
LINES_AT_ONCE = 50_000
_FIRST_IDS = {
    "service_offer": 1_001,
    "availability_slot": 500_001,
    "service_request": 100_001,
    "booking": 200_001,
    "review": 300_001,
    "message": 1_000_001,
    "support_case": 40_001,
    "survey_response": 50_001,
    "login": 2_000_001,
    "insurance_claim": 60_001,
    "consent": 700_001,
    "privacy_request": 7_001,
    "fraud_flag_decision": 8_001,
    "event": 1,
}


@dataclass(frozen=True, kw_only=True)
class History:
    """A world before it is written: people, offers, versions, and how many requests one unit of demand weight brings."""

    people: pl.DataFrame
    offers: pl.DataFrame
    tables: dict[str, pl.DataFrame]
    objects: dict[str, pl.DataFrame]
    entries: pl.DataFrame
    fraud_truth: pl.DataFrame
    privacy_truth: pl.DataFrame
    books_truth: pl.DataFrame
    requests_per_weight: float


def generate_world(folder: Path, spec: WorldSpec, *, progress: Progress = lambda _: None) -> dict[str, Any]:
    """Writes the world of `spec` into `folder`, which may hold an older world but nothing else; gives its `world.json`."""
    _clear(folder)
    ids = dict(_FIRST_IDS)
    progress("people and bookings")
    history = make_history(spec, ids)
    progress("app database")
    shown, waiting = _shown_tables(history.tables, spec.now, ids)
    for name, frame in shown.items():
        output.write_table(folder / "app_db", name, frame)
    progress("Stripe")
    objects, unpaid, books_truth = _with_payouts(history, spec.now)
    counts = {f"app.{name}": frame.height for name, frame in shown.items()}
    counts |= _write_stripe(folder, spec, objects, ids)
    progress("events")
    counts["events"] = write_events(folder, spec, history.people, shown)
    ids["tracking_event"] = spec.events + 1
    _write_truth(folder, history, spec.now)
    output.append_json_rows(folder / "truth" / "reconciliation.jsonl", books_truth)
    state = State(
        people=history.people,
        offers=history.offers,
        tables=waiting,
        objects={kind: frame.filter(pl.col("valid_from") > spec.now) for kind, frame in objects.items()},
        entries=history.entries.filter(pl.col("created") > spec.now),
        unpaid=unpaid,
        payment_methods=history.objects["payment_method"].select("id"),
        privacy_truth=history.privacy_truth.filter(pl.col("visible_from") > spec.now),
    )
    write_state(folder, state)
    content = {
        "format": output.WORLD_FORMAT,
        "spec": spec.to_json(),
        "now": spec.now,
        "step": 0,
        "requests_per_weight": history.requests_per_weight,
        "next_ids": ids,
        "counts": counts,
    }
    output.write_world_file(folder, content)
    return content


def make_history(spec: WorldSpec, ids: dict[str, int]) -> History:
    """Everybody and everything until now, and what of it goes on after now."""
    cast = planned(spec.accounts)
    people = accounts.make_people(spec.seed, 0, cast, spec.accounts - cast.height, spec.start - 270 * DAY, spec.now)
    people = accounts.numbered(people)
    offers = accounts.make_offers(spec.seed, 0, people, ids["service_offer"])
    ids["service_offer"] += offers.height
    supply = make_supply(people, offers)
    fraud = plant_fraud(spec.seed, people, supply, spec.now, ids)
    stage = Stage(rng=generator(spec.seed, "privacy"), people=people, supply=supply, now=spec.now)
    privacy = plant_privacy(stage, ids["privacy_request"])
    ids["privacy_request"] += privacy.truth.height
    demand, planted, per_weight = _demand(spec, people, offers, supply, [fraud, privacy])
    chapter = write_chapter(spec.seed, 0, people, demand, planted, (spec.start, spec.now), ids)
    tables, objects = _people_tables(spec, people, offers)
    for name in set(chapter.tables) | set(fraud.versions) | set(privacy.versions):
        parts = [part.get(name) for part in (tables, chapter.tables, fraud.versions, privacy.versions)]
        tables[name] = stack([part for part in parts if part is not None])
    return History(
        people=people,
        offers=offers,
        tables=tables,
        objects=objects | chapter.objects,
        entries=chapter.entries,
        books_truth=chapter.books_truth,
        fraud_truth=fraud.truth,
        privacy_truth=privacy.truth,
        requests_per_weight=per_weight,
    )


def _demand(
    spec: WorldSpec, people: pl.DataFrame, offers: pl.DataFrame, supply: Supply, parts: list[Planted]
) -> tuple[Demand, pl.DataFrame, float]:
    """Demand that brings the world to exactly `spec.bookings` bookings, beside the planted and the regular ones."""
    rng = generator(spec.seed, "demand")
    regular = regular_bookings(rng, people, offers, spec.start, spec.now, spec.bookings * 6 // 100)
    planted = pl.concat([part.drafts.select(sorted(part.drafts.columns)) for part in parts])
    planted = stack([planted, regular])
    wanted = spec.bookings - planted.filter(pl.col("booked_at") <= spec.now).height
    if wanted < 0:
        raise ValueError(f"{spec.bookings} bookings are fewer than the planted cases need for {spec.accounts} accounts")
    weight = demand_weights(spec.start, spec.now, spec.start)[1].sum()
    share = 0.5
    for attempt in range(8):
        count = int(wanted / share) + 50
        made = make_demand(
            generator(spec.seed, "demand", attempt + 1), people, supply, spec.start, spec.now, spec.start, count
        )
        booked = made.drafts.filter(pl.col("booked_at") <= spec.now).height
        if booked >= wanted:
            return keep_bookings(made, rng, spec.now, wanted), planted, count / float(weight)
        share = max(booked / count * 0.97, 0.02)
    raise ValueError("too few providers for that many bookings: ask for more accounts")


def _people_tables(
    spec: WorldSpec, people: pl.DataFrame, offers: pl.DataFrame
) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame]]:
    account_rows = accounts.account_versions(spec.seed, 0, people, spec.now)
    profiles = accounts.profile_versions(spec.seed, 0, people, offers)
    profiles = stack([profiles, takeover_profiles(spec.seed, people, profiles, spec.now)])
    logins = login_rows(generator(spec.seed, "logins"), people, spec.now - LOGIN_HISTORY, spec.now)
    tables = {
        "account": account_rows,
        "provider_profile": profiles,
        "service_category": service_categories(spec.start),
        "service_offer": accounts.offer_versions(spec.seed, 0, offers, spec.now),
        "login": logins,
        "consent": consent_rows(generator(spec.seed, "consents"), people, spec.now),
        "account_ban": ban_rows(people, spec.now - 20 * DAY),
    }
    objects = {"customer": customer_objects(account_rows)} | provider_objects(people, profiles, spec.seed, 0)
    return tables, objects


def service_categories(valid_from: int) -> pl.DataFrame:
    """The rows of `service_category`."""
    names = ("category_id", "slug", "name_nb", "name_en")
    columns = {name: [getattr(category, name) for category in CATEGORIES] for name in names}
    return pl.DataFrame(columns).with_columns(valid_from=pl.lit(valid_from))


def _shown_tables(
    tables: dict[str, pl.DataFrame], now: int, ids: dict[str, int]
) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame]]:
    shown, waiting = {}, {}
    for name in WORLD_TABLES:
        table = TABLES[name]
        if name not in tables:
            shown[name] = table.finish(pl.DataFrame(schema=dict.fromkeys(table.columns, pl.Null)))
            continue
        past, waiting[name] = split_at(tables[name], now)
        rows = with_assigned_keys(table, show(table, past), ids.get(name, 0))
        if table.assigned_key:
            ids[name] += rows.height
        shown[name] = table.finish(rows)
    return shown, waiting


def _with_payouts(history: History, now: int) -> tuple[dict[str, pl.DataFrame], pl.DataFrame, pl.DataFrame]:
    """All objects, the balance entries not paid out, and the truth about what does not agree."""
    entries = history.entries
    made = entries.filter(pl.col("created") <= now)
    payouts, paid, rest = make_payouts(made, now, bank_of(history.objects["bank_account"], now))
    payouts, truth = with_wrong_payouts(payouts, now)
    entries = pl.concat([entries, payout_entries(payouts).select(entries.columns)])
    objects = dict(history.objects)
    objects["balance_transaction"] = stack([balance_versions(entries), paid_out_versions(paid)])
    objects["payout"] = payout_versions(payouts)
    return objects, rest, pl.concat([history.books_truth, truth])


def bank_of(banks: pl.DataFrame, now: int) -> pl.DataFrame:
    """The external account that each connected account is paid out to."""
    past = banks.filter(pl.col("valid_from") <= now).sort("valid_from", maintain_order=True)
    return past.unique("_account", keep="last", maintain_order=True).select("_account", destination="id")


def _write_stripe(
    folder: Path, spec: WorldSpec, objects: dict[str, pl.DataFrame], ids: dict[str, int]
) -> dict[str, int]:
    news = newest_objects(objects, spec.now, 0, ids["event"])
    ids["event"] += news.events.height
    departed = departed_customers(1 + spec.accounts // 500, spec.start, spec.now)
    counts = {}
    for kind in OBJECT_TYPES:
        if kind == "event":
            parts = iter([ordered(kind, news.events)])
        elif kind == "customer":
            customers = stack([rendered_lines(kind, news.objects[kind]), departed])
            parts = iter([ordered(kind, customers)])
        else:
            shown = news.objects[kind]
            slices = shown.iter_slices(LINES_AT_ONCE) if shown.height else iter([shown])
            parts = (rendered_lines(kind, part) for part in slices)
        counts[f"stripe.{kind}"] = write_new(folder / "stripe", folder / "state", kind, parts)
    output.write_stripe_clock(folder, spec.now)
    return counts


def _write_truth(folder: Path, history: History, now: int) -> None:
    output.append_json_rows(folder / "truth" / "fraud.jsonl", history.fraud_truth)
    visible = history.privacy_truth.filter(pl.col("visible_from") <= now)
    output.append_json_rows(folder / "truth" / "privacy_requests.jsonl", visible)


def _clear(folder: Path) -> None:
    """Makes the folder, or takes away the world that is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"world.json", "app_db", "stripe", "events", "truth", "state"}
    strangers = sorted(path.name for path in folder.iterdir() if path.name not in parts)
    if strangers:
        raise ValueError(f"{folder} holds something that is no world ({strangers[0]}): choose an empty folder")
    (folder / "world.json").unlink(missing_ok=True)
    for part in parts - {"world.json"}:
        shutil.rmtree(folder / part, ignore_errors=True)
