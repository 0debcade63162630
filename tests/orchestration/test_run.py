"""`leii run` end to end on a small town: complete, resumable, alone in its home, and without an identifier in what it logs."""

import fcntl
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from orchestration.instance import open_instance
from publishing.readers import open_published
from storage import Home
from tests.integration.conftest import Town

pytestmark = pytest.mark.slow
LEII = Path(sys.executable).with_name("leii")


def settings(town: Town, home: Home | None = None) -> dict[str, str]:
    return {
        **os.environ,
        "LEII_HOME": str((home or town.home).root),
        "LEII_APP_DB_DSN": town.postgres.pipeline_dsn,
        "LEII_STRIPE_API_KEY": town.stripe.api_key,
        "LEII_STRIPE_API_BASE": town.stripe.base_url,
        "LEII_EVENTS_ROOT": str(town.world / "events"),
        "LEII_NOW": town.now.isoformat(),
    }


def start_run(town: Town, home: Home | None = None) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [str(LEII), "run"], env=settings(town, home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def is_locked(home: Home) -> bool:
    with home.lock_file.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def batches_in_landing(home: Home) -> int:
    connection = sqlite3.connect(home.landing / "register.sqlite")
    (count,) = connection.execute("select count(*) from batch").fetchone()
    connection.close()
    return int(count)


def test_a_run_leaves_landing_empty_and_everything_published(town: Town) -> None:
    assert batches_in_landing(town.home) == 0
    assert list(town.home.landing.glob("*.parquet")) == []
    for purpose in town.policy.purposes:
        with open_published(town.home, town.workspace.keyring.for_readers([purpose]), purpose) as con:
            assert con.execute("SELECT purpose, built_at FROM about").fetchone() == (purpose, town.now)
    report = json.loads((town.home.root / "last_run.json").read_text())
    assert report["is_complete"]
    assert {stage["state"] for stage in report["stages"]} == {"done"}


def test_every_asset_has_been_materialised_and_every_check_has_passed(town: Town) -> None:
    with open_instance(town.home) as instance:
        runs = instance.get_runs()
        assert runs[-1].is_success
        keys = instance.all_asset_keys()
        assert [key for key in keys if instance.get_latest_materialization_event(key) is None] == []
    prefixes = {key.path[0] for key in keys}
    assert prefixes == {"landing", "vault", "erasure", "app", *town.policy.purposes}


def identifiers(town: Town) -> dict[str, set[str]]:
    """What must be nowhere in the clear, by kind: of every generated person, and of every purpose."""
    columns = ("account_id", "full_name", "email", "phone", "national_id", "address_line", "stripe_customer_id")
    found = {c: {str(v) for (v,) in town.app(f"select {c} from app.account where {c} is not null")} for c in columns}
    found["stripe_account_id"] = {
        str(v)
        for (v,) in town.app("select stripe_account_id from app.provider_profile where stripe_account_id is not null")
    }
    found["device_id"] = {str(v) for (v,) in town.app("select device_id from app.login where device_id is not null")}
    for purpose in town.policy.purposes:
        rows = town.query(purpose, "SELECT DISTINCT account_id FROM purpose.src.app_db__provider_profile")
        found[f"pseudonym in {purpose}"] = {str(v) for (v,) in rows if v is not None}
    found["flag_id"] = {str(v) for (v,) in town.query("fraud", "SELECT flag_id FROM purpose.marts.fct_flag")}
    return found


def plain_files(home: Home) -> Iterable[Path]:
    """Everything that is not encrypted."""
    encrypted = {home.landing, home.quarantine, home.vault_file.parent, home.held_file.parent, home.extensions}
    encrypted |= {home.root / "warehouse", home.root / "published"}
    for path in home.root.rglob("*"):
        if path.is_file() and not any(folder in path.parents for folder in encrypted):
            yield path
    yield home.landing / "register.sqlite"


def test_no_identifier_is_in_run_storage_logs_or_artefacts(town: Town) -> None:
    content = b"\n".join(path.read_bytes() for path in plain_files(town.home))
    assert b"pseudonymise_fraud" in content, "the scan reads Dagster's storage"
    assert b"fct_flag" in content, "the scan reads dbt's artefacts"
    for kind, values in identifiers(town).items():
        assert values, kind
        assert [value for value in values if len(value) >= 6 and value.encode() in content] == [], kind


def test_no_key_is_in_run_storage_logs_or_artefacts(town: Town) -> None:
    keyring = json.loads(town.home.default_keyring_file.read_text())["keys"]
    secrets = [*keyring.values(), town.stripe.api_key, town.postgres.pipeline_dsn.split(":")[2].split("@")[0]]
    for path in plain_files(town.home):
        if path != town.home.default_keyring_file:
            content = path.read_bytes()
            assert [secret for secret in secrets if secret.encode() in content] == [], path


def test_the_flags_are_in_the_app_under_its_own_account_ids(town: Town) -> None:
    findings = town.query(
        "fraud", "SELECT count(*) FROM purpose.marts.fct_flag WHERE status IN ('active', 'contested')"
    )
    known = "account_id in (select account_id from app.account)"
    assert town.app(f"select count(*) from app.fraud_flag where status = 'active' and {known}") == findings
    assert findings[0][0] > 0


def test_two_runs_at_once_one_is_refused_clearly(town: Town) -> None:
    first = start_run(town)
    try:
        while not is_locked(town.home):
            assert first.poll() is None
            time.sleep(0.02)
        second = start_run(town)
        _, said = second.communicate(timeout=60)
    finally:
        _, first_said = first.communicate(timeout=300)
    assert second.returncode == 1
    assert said.startswith("leii: another run holds")
    assert "Traceback" not in said
    assert first.returncode == 0, first_said


@pytest.mark.parametrize("sign", ["who is who", "decide and sweep"])
def test_a_killed_run_is_taken_up_by_the_next(town: Town, sign: str) -> None:
    town.play_on(1)
    run = start_run(town)
    assert run.stderr is not None
    for line in run.stderr:
        if sign in line:
            break
    run.send_signal(signal.SIGKILL)
    run.communicate()
    town.leii("run")
    assert batches_in_landing(town.home) == 0
    (accounts,) = town.app("select count(*) from app.account")[0]
    (stored,) = town.query("matching", "SELECT count(*) FROM purpose.src.app_db__account")[0]
    (tombstoned,) = town.app(
        "select count(*) from app.account join app.privacy_request using (account_id) "
        "join app.privacy_receipt using (privacy_request_id) where state = 'done' and certificate_id is not null"
    )[0]
    assert accounts - tombstoned <= stored <= accounts


def test_an_interrupted_run_says_so_and_is_taken_up(town: Town) -> None:
    run = start_run(town)
    assert run.stderr is not None
    for line in run.stderr:
        if "read events" in line:
            break
    run.send_signal(signal.SIGINT)
    said = run.stderr.read()
    assert run.wait(timeout=60) == 130
    assert "interrupted; the next run takes up what is left" in said
    town.leii("run")


def test_a_run_that_dagster_starts_is_the_same_run(town: Town) -> None:
    town.play_on(1)
    dagster = [str(LEII.with_name("dagster")), "job", "execute", "-m", "orchestration.definitions", "-j", "leii_run"]
    environment = settings(town) | {"DAGSTER_HOME": str(town.home.dagster)}
    done = subprocess.run(dagster, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not is_locked(town.home)
    report = json.loads((town.home.root / "last_run.json").read_text())
    assert report["is_complete"]
    assert [stage["part"] for stage in report["stages"] if stage["name"] == "publish"]


def test_a_rebuilt_purpose_has_the_same_rows(town: Town) -> None:
    query = "SELECT * EXCLUDE (_batch_id) FROM purpose.src.app_db__booking ORDER BY ALL"
    before = town.query("market_trends", query)
    old = town.home.warehouse_file("market_trends").stat().st_ino
    town.leii("run", "--rebuild", "market_trends")
    assert town.query("market_trends", query) == before
    assert town.home.warehouse_file("market_trends").stat().st_ino != old


def test_the_status_tells_how_things_stand_in_json(town: Town) -> None:
    status = json.loads(town.leii("status", "--json").stdout)
    assert status["last_run"]["is_complete"]
    assert status["landing"] == {}
    assert set(status["published"]) == set(town.policy.purposes)
    assert status["flags_in_the_app"]["active"] > 0
    assert status["privacy"]["cases"]["certified"] == status["certificates"]
    assert "landing: empty" in town.leii("status").stdout
