"""After an erasure to the certificate, whatever is delivered again, read again or restored: nothing about the person returns.

One town for all of it: a customer and a provider who asked, and somebody whose account was deleted from the app. Each
test makes them come back in another way, and ends in a pass after which no trace is left.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from benchmarks.running_world import LEII, RunningWorld, run_of, running_world
from demo.world.output import write_gzip
from demo.world.spec import SMALLEST, world_spec
from demo.world.state import read_app_tables
from demo.world.tables import TABLES
from demo.world.upserts import delete, rows_of_account
from orchestration.context import Run
from pseudonymisation.erasure.certificate import public_key_file, verify_certificate
from publishing.receipts import certificates_lost
from tests.integration.histories import candidates, deliver, deliver_late, enter_request, event_lines
from tests.integration.known_people import alias_hash, rows_of
from tests.integration.oracle import take_requests_away
from tests.integration.passes import app, one_pass
from tests.integration.traces import People, files_of, people_of, rows_naming, traces_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SHOWN = """
select certificate_id from app.privacy_receipt join app.privacy_request using (privacy_request_id) where account_id = %s
"""
RESTORED = ("vault", "warehouse", "published")
NEW_ADDRESS = "ny.adresse.etter.sletting@example.org"


@dataclass(frozen=True, kw_only=True)
class Forgetful:
    """The town after the erasures. `backup` was taken before them; `vanished` is gone from the app, the others asked."""

    world: RunningWorld
    people: People
    customer: str
    provider: str
    vanished: str
    backup: Path


@pytest.fixture(scope="module")
def town() -> Iterator[Forgetful]:
    accounts, bookings, events = SMALLEST
    spec = world_spec(seed=5, accounts=accounts, bookings=bookings, events=events)
    with running_world(spec, rate_limit=0) as world:
        take_requests_away(world)
        one_pass(world)
        customer, provider = candidates(world, "pair")[0]
        vanished = next(one for [one] in candidates(world, "without_booking") if _has_events(world, one))
        people = people_of(world, [customer, provider, vanished])
        assert_they_are_everywhere(world, people)
        backup = world.folder / "backup"
        for zone in RESTORED:
            shutil.copytree(world.home.root / zone, backup / zone, symlinks=True)
        enter_request(world, customer)
        enter_request(world, provider)
        delete_in_app(world, vanished)
        one_pass(world)
        town = Forgetful(
            world=world, people=people, customer=customer, provider=provider, vanished=vanished, backup=backup
        )
        assert_nothing_is_left(town)
        yield town


def assert_they_are_everywhere(world: RunningWorld, people: People) -> None:
    """Otherwise it would prove nothing that they are nowhere afterwards."""
    run = run_of(world)
    for purpose in run.purposes:
        for layer, path in files_of(run.workspace, purpose):
            key = run.workspace.keyring.purpose_key(purpose, layer)
            is_about_people = layer == "warehouse" or purpose not in ("market_trends",)
            assert bool(rows_naming(run.workspace, path, key, people.names[purpose])) == is_about_people
    assert len(people.identifiers) > 20


def assert_nothing_is_left(town: Forgetful) -> None:
    found = traces_of(town.world, town.people, [NEW_ADDRESS])
    assert not found, "\n".join(found)
    run = run_of(town.world)
    cases = rows_of(run.workspace, "SELECT state, blocked_by FROM vault.erasure")
    assert cases
    assert {state for state, _ in cases} == {"certified"}, cases
    key = public_key_file(run.workspace)
    for certificate in sorted(run.home.certificates.glob("0*.json")):
        assert verify_certificate(certificate, key).problems == ()


def refused(run: Run) -> int:
    """Rows about erased people that this pass met at the border."""
    return sum(stage.counts.get("refused_erased", 0) for stage in run.report.stages)


def delete_in_app(world: RunningWorld, account_id: str) -> None:
    """Delete an account and everything that hangs on it, as the app does."""
    gone = rows_of_account(read_app_tables(world.folder / "world"), account_id)
    with psycopg.connect(world.server.admin_dsn) as connection:
        for name in reversed(list(gone)):
            delete(connection, TABLES[name], gone[name])


def test_event_files_that_are_delivered_again_or_late_bring_nobody_back(town: Forgetful) -> None:
    events = town.world.folder / "world" / "events"
    for path in sorted(events.rglob("*.jsonl.gz")):
        shutil.copy(path, path.with_name(f"again-{path.name}"))
    deliver_late(town.world, "late", town.people.account_ids)
    theirs = next(event for event in event_lines(town.world) if event.get("userId") == town.customer)
    deliver(town.world, "cookie", [{**theirs, "userId": None, "messageId": "cookie-alone"}])
    broken = json.dumps({**theirs, "messageId": "broken"}).replace('"properties": {', '"properties": [{').encode()
    write_gzip(events / f"dt={town.world.now.date()}" / "broken.jsonl.gz", broken + b"\n")
    run = one_pass(town.world)
    assert refused(run) > 0
    assert next(stage for stage in run.report.stages if stage.part == "events").counts["quarantined"] > 0
    assert_nothing_is_left(town)


def test_a_full_backfill_of_every_purpose_brings_nobody_back(town: Forgetful) -> None:
    run = one_pass(town.world, rebuild=run_of(town.world).purposes)
    assert refused(run) > 50
    assert_nothing_is_left(town)


def test_what_stripe_tells_of_an_erased_customer_brings_nobody_back(town: Forgetful) -> None:
    """An event, the object that is fetched anew because of it, and a second customer of the same account."""
    stripe = town.world.folder / "world" / "stripe"
    account = {"account_id": town.customer}
    known = newest(stripe / "customer.jsonl", account)
    second = {**known, "id": f"{known['id']}2", "created": int(town.world.now.timestamp()) - 90}
    changed = [{**customer, "email": NEW_ADDRESS, "name": "Ny Adresse"} for customer in (known, second)]
    charge = {**newest(stripe / "charge.jsonl", account), "description": NEW_ADDRESS}
    append(stripe / "customer.jsonl", changed)
    append(stripe / "charge.jsonl", [charge])
    append(
        stripe / "event.jsonl",
        [
            stripe_event(town.world, number, kind, told)
            for number, (kind, told) in enumerate(
                [("customer.updated", changed[0]), ("customer.created", changed[1]), ("charge.updated", charge)]
            )
        ],
    )
    run = one_pass(town.world)
    pulled = next(stage for stage in run.report.stages if stage.part == "stripe").tables
    assert pulled["customer"] >= 2
    assert pulled["charge"] >= 1
    assert refused(run) > 0
    assert_nothing_is_left(town)


def test_changed_rows_in_the_app_database_bring_nobody_back(town: Forgetful) -> None:
    now, people = town.world.now, [town.customer, town.provider]
    for table, where in {
        "account": "account_id = any(%s::uuid[])",
        "provider_profile": "account_id = any(%s::uuid[])",
        "booking": "%s::uuid[] && array[customer_id, provider_id]",
        "review": "%s::uuid[] && array[author_id, subject_id]",
        "service_request": "customer_id = any(%s::uuid[])",
    }.items():
        app(town.world, f"update app.{table} set updated_at = %s where {where}", [now - timedelta(minutes=1), people])
    app(town.world, "update app.account set email = %s where account_id = %s", [NEW_ADDRESS, town.customer])
    app(
        town.world,
        "insert into app.login select max(login_id) + 1, %s, %s, true, '198.51.100.7', 'dev_new_device', %s, 'NO' from app.login",
        [town.customer, now - timedelta(minutes=1), NEW_ADDRESS],
    )
    run = one_pass(town.world)
    assert refused(run) > 0
    assert_nothing_is_left(town)


def test_a_backup_from_before_the_erasure_brings_nobody_back(town: Forgetful) -> None:
    """Vault, warehouse and copies know them again; who asked has asked in the app, and who is gone is gone there."""
    root = town.world.home.root
    for zone in RESTORED:
        shutil.rmtree(root / zone)
        shutil.copytree(town.backup / zone, root / zone, symlinks=True)
    assert traces_of(town.world, town.people)
    certificates = len(list(town.world.home.certificates.glob("0*.json")))
    one_pass(town.world)
    assert_nothing_is_left(town)
    assert len(list(town.world.home.certificates.glob("0*.json"))) == certificates + len(town.people.account_ids)


def test_a_whole_home_from_before_an_erasure_is_noticed_by_the_command(town: Forgetful) -> None:
    """Landing, ledger and certificates are from the backup too; only the app still shows the lost certificate.

    A cookie is erased by the command meanwhile: of that the app knows nothing, so the run says what to do.
    """
    world, root = town.world, town.world.home.root
    person = next(one for [one] in candidates(world, "without_booking") if _has_events(world, one))
    people, backup, cookie = people_of(world, [person]), world.folder / "whole_home", _nobodys_cookie(world)
    shutil.copytree(root, backup, symlinks=True)
    enter_request(world, person)
    told = subprocess.run(
        [LEII, "erase", "--cookie"], env=world.environment, input=cookie, text=True, capture_output=True, check=True
    )
    assert "2 certificates issued" in told.stdout
    assert cookie not in told.stdout + told.stderr
    assert traces_of(world, people, [cookie]) == []
    shutil.rmtree(root)
    shutil.copytree(backup, root, symlinks=True)
    assert traces_of(world, people)
    world.leii("run")
    stages = json.loads((root / "last_run.json").read_text())["stages"]
    [restored] = [stage for stage in stages if stage["name"] == "restored"]
    assert restored["counts"] == {"certificates_lost": 1}
    assert "not known here" in restored["warnings"][0]
    assert "a cookie that was erased since the backup must be erased again" in restored["warnings"][0]
    assert traces_of(world, people) == []
    assert_nothing_is_left(town)
    [(shown,)] = app(world, SHOWN, [person])
    assert list(world.home.certificates.glob(f"*-{shown}.json"))
    assert certificates_lost(world.workspace, world.server.pipeline_dsn) == 0


def newest(file: Path, metadata: dict[str, str]) -> dict[str, Any]:
    """The newest state of some object in a file of Stripe's that bears this metadata."""
    found = [json.loads(line) for line in file.read_text().splitlines()]
    return next(one for one in reversed(found) if metadata.items() <= one.get("metadata", {}).items())


def append(file: Path, objects: list[dict[str, Any]]) -> None:
    with file.open("a") as lines:
        lines.writelines(json.dumps(one) + "\n" for one in objects)


def stripe_event(world: RunningWorld, number: int, kind: str, told: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"evt_nothing_comes_back_{number}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(world.now.timestamp()) - 60 + number,
        "data": {"object": told},
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }


def _has_events(world: RunningWorld, account_id: str) -> bool:
    return any(event.get("userId") == account_id for event in event_lines(world))


def _nobodys_cookie(world: RunningWorld) -> str:
    """A cookie that the vault knows and no account has used."""
    unlinked = {
        row[0]
        for row in rows_of(
            world.workspace,
            "SELECT alias_hash FROM vault.alias WHERE kind = 'anonymous' "
            "AND alias_hash NOT IN (SELECT cookie_hash FROM vault.cookie_link)",
        )
    }
    cookies = sorted({str(event["anonymousId"]) for event in event_lines(world) if event.get("anonymousId")})
    return next(one for one in cookies if alias_hash(world.workspace.keyring, "anonymous", one) in unlinked)
