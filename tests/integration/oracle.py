"""The oracle: erasing people from what was built leaves what building without them would give.

A history is played in a LEII_HOME, with passes and erasures as they come. Then everything is built from nothing in
an empty one, whose vault knows the same people by the same secrets, but for the erased: of them it has the tombstones alone, so
that nothing about them gets in. There no erasure is carried out; the tables of both must be equal.
"""

import json
import shutil
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.running_world import RunningWorld, run_of
from demo.world.spec import world_spec
from demo.world.tables import TABLES
from ingestion.landing import open_landing
from orchestration import steps
from orchestration.context import Run
from pseudonymisation.consent import apply_withdrawn_consent
from storage import Home, Workspace, exclusive_run
from tests.integration.comparing import changed_for_others, differences, warehouse_before
from tests.integration.histories import History, Step, ask, deliver_late, sign_up_again
from tests.integration.known_people import KnownPeople, alias_hash, rows_of, tombstones_of
from tests.integration.passes import app, build_and_certify, build_and_publish, clear, load, renew, take_in

OUTLIVES_THE_SOURCE = "accounting"
"""The purpose that keeps a row which is gone from the app: the law holds it."""

Rows = dict[str, dict[tuple[Any, ...], str]]
"""Rows of the app as JSON, by table and key."""


@dataclass(kw_only=True)
class Played:
    """What a history has come to. `accounts`: the hashes of the erased accounts."""

    known: KnownPeople = field(default_factory=KnownPeople)
    accounts: set[uuid.UUID] = field(default_factory=set)
    tombstones: set[uuid.UUID] = field(default_factory=set)
    gone: Rows = field(default_factory=dict)
    changed_for_others: dict[str, int] = field(default_factory=dict)


def play(world: RunningWorld, history: History) -> Played:
    """Play a history in the world's LEII_HOME and compare with a build from nothing. Raises AssertionError."""
    spec = world_spec(seed=history.seed, accounts=history.accounts, bookings=history.bookings, events=history.events)
    renew(world, spec)
    clear(world.home)
    asked_before = take_requests_away(world)
    played = Played()
    _pass(world, played)
    assert not played.accounts, "somebody was erased whom nobody had asked to erase"
    for number, step in enumerate(history.steps):
        due = _happen(world, history, played, step, number, asked_before)
        kept = world.folder / "before"
        warehouse_before(run_of(world).workspace, run_of(world).policy, kept)
        erased_before = set(played.accounts)
        run = _pass(world, played, reads=not step.is_quiet)
        ring = run.workspace.keyring
        missing = [one for one in due if alias_hash(ring, "account", one) not in played.accounts]
        assert not missing, f"{len(missing)} of {len(due)} people who were due have not been erased"
        if step.is_quiet:
            _note_changes_for_others(run, played, kept, played.accounts - erased_before)
    _compare_with_build_from_nothing(world, played)
    return played


def take_requests_away(world: RunningWorld) -> list[tuple[Any, ...]]:
    """The requests that were planted in the world, taken out of the app: they come later or never."""
    requests = app(world, "select r::text from app.privacy_request r")
    app(world, "delete from app.privacy_request")
    return requests


def _happen(
    world: RunningWorld,
    history: History,
    played: Played,
    step: Step,
    number: int,
    asked_before: list[tuple[Any, ...]],
) -> set[str]:
    """What comes before a pass; gives the accounts whose erasure it must carry out."""
    before = _rows_of_app(world)
    if step.days:
        world.play_on(step.days)
    ring = run_of(world).workspace.keyring
    present = [row[0] for row in app(world, "select account_id::text from app.account order by 1")]
    erased = [one for one in present if alias_hash(ring, "account", one) in played.accounts]
    if step.late_events:
        deliver_late(world, f"late-{number}", erased)
    if step.somebody_is_back and erased:
        sign_up_again(world, f"step-{number}", erased[history.seed % len(erased)])
    due = ask(world, step)
    if history.planted_requests and number == 1:
        app(world, "insert into app.privacy_request select (r::app.privacy_request).* from unnest(%s::text[]) as r "
                   "on conflict do nothing", [[row[0] for row in asked_before]])  # fmt: skip
    after = _rows_of_app(world)
    for table, rows in before.items():
        played.gone.setdefault(table, {}).update({key: row for key, row in rows.items() if key not in after[table]})
    return due


def _pass(world: RunningWorld, played: Played, *, reads: bool = True) -> Run:
    """One pass, whose erasures are checked against the vault as it was before them; as `leii erase`, if it reads nothing."""
    run = run_of(world)
    with exclusive_run(run.home):
        if reads:
            take_in(run)
        played.known.learn(run.workspace)
        tombstones = _tombstones(run.workspace)
        steps.prepare_erasures(run)
        accounts = {row[0] for row in rows_of(run.workspace, _IN_A_CASE)}
        expected = tombstones_of(played.known, run.workspace.keyring, accounts)
        assert _tombstones(run.workspace) == tombstones | expected, "an erasure left other tombstones than it must"
        played.accounts |= accounts
        played.tombstones |= expected
        build_and_certify(run)
    open_cases = rows_of(run.workspace, "SELECT state, blocked_by FROM vault.erasure WHERE state <> 'certified'")
    assert not open_cases, f"an erasure did not come to its certificate: {open_cases[0]}"
    return run


_IN_A_CASE = "SELECT alias_hash FROM vault.request WHERE case_id IS NOT NULL AND alias_hash IS NOT NULL"


def _tombstones(workspace: Workspace) -> set[uuid.UUID]:
    return {row[0] for row in rows_of(workspace, "SELECT alias_hash FROM vault.tombstone")}


def _note_changes_for_others(run: Run, played: Played, kept: Path, accounts: set[uuid.UUID]) -> None:
    aliases = {alias for account in accounts for alias in played.known.aliases_of(account)}
    flags = played.known.flag_ids(run.workspace.keyring, accounts)
    for purpose in run.policy.purposes:
        erased = {str(one) for one in played.known.pseudonyms(run.workspace.keyring, purpose, aliases)} | flags
        for table, rows in changed_for_others(run.workspace, run.policy, purpose, kept, erased).items():
            played.changed_for_others[f"{purpose}: {table}"] = rows


def _compare_with_build_from_nothing(world: RunningWorld, played: Played) -> None:
    done = Home(world.folder / "played")
    clear(world.home, into=done.root)
    shutil.copy(done.default_keyring_file, world.home.default_keyring_file)
    run = run_of(world)
    played.known.write_vault(run.workspace, played.tombstones)
    with exclusive_run(run.home):
        assert take_in(run) == 0, "somebody is new to a vault that knows everybody"
        apply_withdrawn_consent(run.workspace, run.policy, run.dsn)
        _bring_back(world, run, played.gone)
        build_and_publish(run)
    found = differences(replace(run.workspace, home=done), run.workspace, run.policy)
    assert not found, "\n".join(found)


def _bring_back(world: RunningWorld, run: Run, gone: Rows) -> None:
    """Give the purpose that outlives its source what was in the app and is gone, as it would have been had it stayed."""
    if not any(gone.values()):
        return
    with_rules_off = "set session_replication_role = replica; "
    for table, rows in gone.items():
        app(
            world,
            f"{with_rules_off}insert into app.{table} select * from jsonb_populate_recordset(null::app.{table}, '["
            + ",".join(rows.values()).replace("'", "''").replace("%", "%%")
            + "]') on conflict do nothing",
        )
    with open_landing(run.workspace) as landing:
        landing.reset_cursors("app_db")
    steps.pull_app_db(run)
    steps.register_people(run)
    load(run, [OUTLIVES_THE_SOURCE])


def _rows_of_app(world: RunningWorld) -> Rows:
    return {
        name: {
            tuple(json.loads(key)): row
            for key, row in app(
                world, f"select jsonb_build_array({', '.join(table.key)})::text, to_jsonb(t)::text from app.{name} t"
            )
        }
        for name, table in TABLES.items()
        if name not in ("privacy_request", "fraud_flag", "privacy_receipt", "fraud_flag_decision")
    }
