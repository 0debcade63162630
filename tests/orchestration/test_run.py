"""`leii run` end to end on a small town: complete, resumable, alone in its home, and without an identifier in what it logs."""

import fcntl
import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.instance import open_instance
from publishing.readers import open_published
from storage import Home
from tests.integration.conftest import Town

pytestmark = pytest.mark.slow
LEII = Path(sys.executable).with_name("leii")


def start_run(town: Town, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [str(LEII), "run", *arguments], env=town.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def stop_run_at(sign: str, signal_number: int, town: Town) -> "subprocess.Popen[str]":
    """A run that got this signal when it said this."""
    run = start_run(town)
    assert run.stderr is not None
    for line in run.stderr:
        if sign in line:
            break
    run.send_signal(signal_number)
    return run


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


def run_by_command(town: Town) -> None:
    town.leii("run")


def run_by_dagster(town: Town) -> None:
    dagster = [str(LEII.with_name("dagster")), "job", "execute", "-m", "orchestration.definitions", "-j", "leii_run"]
    environment = town.environment | {"DAGSTER_HOME": str(town.home.dagster)}
    done = subprocess.run(dagster, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize(
    ("sign", "run_next"),
    [("who is who", run_by_command), ("decide and sweep", run_by_dagster)],
    ids=["command", "dagster"],
)
def test_a_killed_run_is_taken_up_by_the_next_whoever_starts_it(
    town: Town, sign: str, run_next: Callable[[Town], None]
) -> None:
    town.play_on(1)
    killed = stop_run_at(sign, signal.SIGKILL, town)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    killed_at = datetime.now(UTC)
    run_next(town)
    assert not is_locked(town.home)
    report = json.loads((town.home.root / "last_run.json").read_text())
    assert report["is_complete"]
    assert datetime.fromisoformat(report["started_at"]) > killed_at
    assert [stage["part"] for stage in report["stages"] if stage["name"] == "publish"]
    assert batches_in_landing(town.home) == 0
    (accounts,) = town.app("select count(*) from app.account")[0]
    (stored,) = town.query("matching", "SELECT count(*) FROM purpose.src.app_db__account")[0]
    (tombstoned,) = town.app(
        "select count(*) from app.account join app.privacy_request using (account_id) "
        "join app.privacy_receipt using (privacy_request_id) where state = 'done' and certificate_id is not null"
    )[0]
    assert accounts - tombstoned <= stored <= accounts


@dataclass(frozen=True, kw_only=True)
class TakenUp:
    """A run that was interrupted, the one that took it up and rebuilt a purpose, and one that was started meanwhile."""

    interrupted: "subprocess.Popen[str]"
    interrupted_said: str
    run: "subprocess.Popen[str]"
    run_said: str
    meanwhile: "subprocess.Popen[str]"
    meanwhile_said: str
    rows_before: list[tuple[object, ...]]
    file_before: int


ROWS = "SELECT * EXCLUDE (_batch_id) FROM purpose.src.app_db__booking ORDER BY ALL"


@pytest.fixture(scope="module")
def taken_up(town: Town) -> TakenUp:
    rows, file = town.query("market_trends", ROWS), town.home.warehouse_file("market_trends").stat().st_ino
    interrupted = stop_run_at("read events", signal.SIGINT, town)
    assert interrupted.stderr is not None
    interrupted_said = interrupted.stderr.read()
    interrupted.wait(timeout=60)
    run = start_run(town, "--rebuild", "market_trends")
    try:
        while not is_locked(town.home):
            assert run.poll() is None
            time.sleep(0.02)
        meanwhile = start_run(town)
        _, meanwhile_said = meanwhile.communicate(timeout=60)
    finally:
        _, run_said = run.communicate(timeout=300)
    return TakenUp(
        interrupted=interrupted, interrupted_said=interrupted_said, run=run, run_said=run_said,
        meanwhile=meanwhile, meanwhile_said=meanwhile_said, rows_before=rows, file_before=file,
    )  # fmt: skip


def test_an_interrupted_run_says_so_and_is_taken_up(taken_up: TakenUp) -> None:
    assert taken_up.interrupted.returncode == 130
    assert "interrupted; the next run takes up what is left" in taken_up.interrupted_said
    assert taken_up.run.returncode == 0, taken_up.run_said


def test_two_runs_at_once_one_is_refused_clearly(taken_up: TakenUp) -> None:
    assert taken_up.meanwhile.returncode == 1
    assert taken_up.meanwhile_said.startswith("leii: another run holds")
    assert "Traceback" not in taken_up.meanwhile_said
    assert taken_up.run.returncode == 0, taken_up.run_said


def test_a_rebuilt_purpose_has_the_same_rows(town: Town, taken_up: TakenUp) -> None:
    assert town.query("market_trends", ROWS) == taken_up.rows_before
    assert town.home.warehouse_file("market_trends").stat().st_ino != taken_up.file_before


def test_the_status_tells_how_things_stand_in_json(town: Town) -> None:
    status = json.loads(town.leii("status", "--json").stdout)
    assert status["last_run"]["is_complete"]
    assert status["landing"] == {}
    assert set(status["published"]) == set(town.policy.purposes)
    assert status["flags_in_the_app"]["active"] > 0
    assert status["privacy"]["cases"]["certified"] == status["certificates"]
    assert "landing: empty" in town.leii("status").stdout
