"""Flags and receipts in the app's own database, written by the role that can write nothing else."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from demo.postgres import DemoPostgres, running_postgres
from ingestion.landing import open_landing
from pseudonymisation.erasure import Receipt
from pseudonymisation.identify import accounts_by_pseudonym
from pseudonymisation.loading import register_people
from pseudonymisation.policy.reading import load_policy
from publishing.fraud_flags import FlagsWritten, read_account_ids, write_fraud_flags
from publishing.receipts import write_receipts
from storage import LeiiError, Workspace
from tests.publishing.conftest import NOON, in_warehouse

PEOPLE = [f"00000000-0000-4000-8000-{number:012d}" for number in range(1, 6)]
ARROW_TYPES = {"timestamp": pa.timestamp("us", tz="UTC"), "boolean": pa.bool_(), "date": pa.date32()}


@pytest.fixture(scope="module")
def postgres() -> Iterator[DemoPostgres]:
    with tempfile.TemporaryDirectory(prefix="leii-postgres-") as folder, running_postgres(Path(folder)) as server:
        yield server


@pytest.fixture
def app(postgres: DemoPostgres, workspace: Workspace) -> DemoPostgres:
    """Five accounts in the app and in the vault; no flags, no receipts."""
    with psycopg.connect(postgres.admin_dsn) as connection:
        connection.execute("truncate app.account, app.fraud_flag, app.privacy_receipt cascade")
        for person in PEOPLE:
            connection.execute(
                "insert into app.account (account_id, created_at, updated_at, full_name, email) values (%s, %s, %s, 'N', 'e')",
                [person, NOON, NOON],
            )
    know(workspace, PEOPLE)
    return postgres


def know(workspace: Workspace, people: list[str]) -> None:
    """Let the vault learn these accounts, as a run does."""
    policy = load_policy()
    columns = policy.table("app_db", "account").columns
    rows = pa.table(
        {
            name: pa.array(
                people if name == "account_id" else pa.nulls(len(people)), ARROW_TYPES.get(c.type, pa.string())
            )
            for name, c in columns.items()
        }
    )
    with open_landing(workspace) as landing:
        landing.write("app_db", "account", "rows", rows, {})
        register_people(workspace, landing, policy)


def find(workspace: Workspace, *flags: tuple[int, float, str], expires_at: datetime | None = None) -> None:
    """Let the fraud warehouse hold these flags: (person, score, value of the reason)."""
    asked = pa.table({"account_id": PEOPLE})
    pseudonyms = {
        row["account_id"]: row["pseudonym"] for row in accounts_by_pseudonym(workspace, "fraud", asked).to_pylist()
    }
    until = (expires_at or NOON + timedelta(days=90)).isoformat()
    rows = [
        f"""('flag_' || md5('{pseudonyms[PEOPLE[person]]}'), '{pseudonyms[PEOPLE[person]]}'::UUID,
        '[{{"code": "COL01", "text": "Deler, \\"kort\\"", "value": {value}, "threshold": 1}}]', {score}::FLOAT,
        'review', '3', '{NOON.isoformat()}'::TIMESTAMPTZ, '{until}'::TIMESTAMPTZ, 'active')"""
        for person, score, value in flags
    ]
    columns = "flag_id, account_id, reasons, score, recommended_action, rule_version, issued_at, expires_at, status"
    types = (
        "flag_id VARCHAR, account_id UUID, reasons VARCHAR, score FLOAT, recommended_action VARCHAR, "
        "rule_version VARCHAR, issued_at TIMESTAMPTZ, expires_at TIMESTAMPTZ, status VARCHAR"
    )
    statements = [f"CREATE OR REPLACE TABLE w.marts.fct_flag ({types})"]
    if rows:
        statements.append(f"INSERT INTO w.marts.fct_flag ({columns}) VALUES {', '.join(rows)}")
    in_warehouse(workspace, "fraud", *statements)


def flags_in(app: DemoPostgres) -> dict[str, dict[str, Any]]:
    with psycopg.connect(app.admin_dsn, row_factory=psycopg.rows.dict_row) as connection:
        rows = connection.execute("select * from app.fraud_flag").fetchall()
    return {str(row["account_id"]): row for row in rows}


def later(workspace: Workspace, **passed: int) -> Workspace:
    return replace(workspace, now=workspace.now + timedelta(**passed))


def test_a_finding_becomes_a_flag_about_the_apps_own_account(app: DemoPostgres, workspace: Workspace) -> None:
    find(workspace, (0, 0.8, "3"), (2, 0.5, "7"))
    assert write_fraud_flags(workspace, dsn=app.pipeline_dsn) == FlagsWritten(raised=2)
    flags = flags_in(app)
    assert set(flags) == {PEOPLE[0], PEOPLE[2]}
    flag = flags[PEOPLE[0]]
    assert flag["reasons"] == [{"code": "COL01", "text": 'Deler, "kort"', "value": 3, "threshold": 1}]
    assert flag["score"] == pytest.approx(0.8)
    assert (flag["status"], flag["recommended_action"], flag["rule_version"]) == ("active", "review", "3")
    assert flag["first_seen_at"] == flag["updated_at"] == NOON


def test_writing_again_touches_nothing(app: DemoPostgres, workspace: Workspace) -> None:
    find(workspace, (0, 0.8, "3"))
    write_fraud_flags(workspace, dsn=app.pipeline_dsn)
    assert write_fraud_flags(later(workspace, days=1), dsn=app.pipeline_dsn) == FlagsWritten()
    assert flags_in(app)[PEOPLE[0]]["updated_at"] == NOON


def test_a_changed_reason_moves_updated_at_and_keeps_first_seen_at(app: DemoPostgres, workspace: Workspace) -> None:
    find(workspace, (0, 0.8, "3"), (1, 0.6, "2"))
    write_fraud_flags(workspace, dsn=app.pipeline_dsn)
    find(workspace, (0, 0.8, "4"), (1, 0.6, "2"))
    tomorrow = later(workspace, days=1)
    assert write_fraud_flags(tomorrow, dsn=app.pipeline_dsn) == FlagsWritten(updated=1)
    flags = flags_in(app)
    assert (flags[PEOPLE[0]]["first_seen_at"], flags[PEOPLE[0]]["updated_at"]) == (NOON, tomorrow.now)
    assert flags[PEOPLE[0]]["reasons"][0]["value"] == 4
    assert flags[PEOPLE[1]]["updated_at"] == NOON


def test_a_flag_whose_reason_is_gone_is_withdrawn_and_raised_again(app: DemoPostgres, workspace: Workspace) -> None:
    find(workspace, (0, 0.8, "3"), (1, 0.6, "2"))
    write_fraud_flags(workspace, dsn=app.pipeline_dsn)
    find(workspace, (1, 0.6, "2"))
    assert write_fraud_flags(later(workspace, days=1), dsn=app.pipeline_dsn) == FlagsWritten(withdrawn=1)
    assert flags_in(app)[PEOPLE[0]]["status"] == "withdrawn"
    find(workspace, (0, 0.8, "3"), (1, 0.6, "2"))
    assert write_fraud_flags(later(workspace, days=2), dsn=app.pipeline_dsn) == FlagsWritten(raised=1)
    flag = flags_in(app)[PEOPLE[0]]
    assert (flag["status"], flag["first_seen_at"]) == ("active", NOON)


@pytest.mark.parametrize("is_still_found", [True, False])
def test_a_flag_past_its_day_expires(app: DemoPostgres, workspace: Workspace, is_still_found: bool) -> None:
    find(workspace, (0, 0.8, "3"), expires_at=NOON + timedelta(days=2))
    write_fraud_flags(workspace, dsn=app.pipeline_dsn)
    if not is_still_found:
        find(workspace)
    assert write_fraud_flags(later(workspace, days=3), dsn=app.pipeline_dsn) == FlagsWritten(expired=1)
    assert flags_in(app)[PEOPLE[0]]["status"] == "expired"


def test_a_finding_that_has_passed_already_is_not_raised(app: DemoPostgres, workspace: Workspace) -> None:
    find(workspace, (0, 0.8, "3"), expires_at=NOON - timedelta(days=1))
    assert write_fraud_flags(workspace, dsn=app.pipeline_dsn) == FlagsWritten()
    assert flags_in(app) == {}


def test_a_flag_about_somebody_who_is_gone_is_removed(app: DemoPostgres, workspace: Workspace) -> None:
    find(workspace, (0, 0.8, "3"), (1, 0.6, "2"))
    write_fraud_flags(workspace, dsn=app.pipeline_dsn)
    with psycopg.connect(app.admin_dsn) as connection:
        connection.execute("delete from app.account where account_id = %s", [PEOPLE[0]])
    find(workspace, (1, 0.6, "2"))
    assert write_fraud_flags(later(workspace, days=1), dsn=app.pipeline_dsn) == FlagsWritten(removed=1)
    assert set(flags_in(app)) == {PEOPLE[1]}


def test_no_flag_is_touched_when_the_vault_knows_nobody(app: DemoPostgres, workspace: Workspace) -> None:
    find(workspace, (0, 0.8, "3"))
    write_fraud_flags(workspace, dsn=app.pipeline_dsn)
    strangers = pa.table({"account_id": ["00000000-0000-4000-8000-999999999999"]})
    with pytest.raises(LeiiError, match="knows none"):
        write_fraud_flags(workspace, dsn=app.pipeline_dsn, account_ids=strangers)
    assert flags_in(app)[PEOPLE[0]]["status"] == "active"


def test_nothing_is_written_when_the_writing_fails_halfway(app: DemoPostgres, workspace: Workspace) -> None:
    find(workspace, (0, 0.8, "3"))
    write_fraud_flags(workspace, dsn=app.pipeline_dsn)
    find(workspace, (0, 0.9, "9"), (1, 0.7, "2"))
    with psycopg.connect(app.admin_dsn) as connection:
        connection.execute("alter table app.fraud_flag add constraint halfway check (score < 0.85)")
    try:
        with pytest.raises(psycopg.errors.CheckViolation):
            write_fraud_flags(later(workspace, days=1), dsn=app.pipeline_dsn)
    finally:
        with psycopg.connect(app.admin_dsn) as connection:
            connection.execute("alter table app.fraud_flag drop constraint halfway")
    flags = flags_in(app)
    assert set(flags) == {PEOPLE[0]}
    assert flags[PEOPLE[0]]["score"] == pytest.approx(0.8)


def test_an_app_without_accounts_has_no_ids(app: DemoPostgres) -> None:
    assert sorted(read_account_ids(app.reader_dsn)["account_id"].to_pylist()) == PEOPLE
    with psycopg.connect(app.admin_dsn) as connection:
        connection.execute("truncate app.account cascade")
    assert read_account_ids(app.reader_dsn).num_rows == 0


def receipt(number: int, state: str = "waiting", **changes: Any) -> Receipt:
    values: dict[str, Any] = {
        "privacy_request_id": number,
        "state": state,
        "eligible_at": NOON + timedelta(days=30),
        "explanation": "Slettes 30 dager etter siste oppdrag.",
        "certificate_id": None,
    }
    return Receipt(**(values | changes))


def receipts_in(app: DemoPostgres) -> dict[int, tuple[Any, ...]]:
    with psycopg.connect(app.admin_dsn) as connection:
        rows = connection.execute("select * from app.privacy_receipt").fetchall()
    return {row[0]: row[1:] for row in rows}


def test_a_receipt_is_written_once_and_changed_when_it_says_something_new(app: DemoPostgres) -> None:
    assert write_receipts(app.pipeline_dsn, [receipt(1), receipt(2)], NOON) == 2
    next_day = NOON + timedelta(days=1)
    done = receipt(2, "done", eligible_at=None, certificate_id="c-1")
    assert write_receipts(app.pipeline_dsn, [receipt(1), done], next_day) == 1
    written = receipts_in(app)
    assert written[1][4] == NOON
    assert written[2] == ("done", None, done.explanation, "c-1", next_day)
    assert write_receipts(app.pipeline_dsn, [], next_day) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "update app.account set full_name = 'x'",
        "delete from app.account",
        "insert into app.consent values (1, null, null, 'marketing', true, now(), 'banner')",
        "delete from app.privacy_request",
        "update app.fraud_flag_decision set note = 'x'",
        "truncate app.fraud_flag",
        "drop table app.fraud_flag",
        "create table app.mine (x int)",
        "alter table app.account add column x int",
    ],
)
def test_the_pipelines_role_can_write_nothing_else(app: DemoPostgres, statement: str) -> None:
    with psycopg.connect(app.pipeline_dsn) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.parametrize("table", ["fraud_flag", "privacy_receipt"])
def test_the_role_that_reads_cannot_write_at_all(app: DemoPostgres, table: str) -> None:
    with psycopg.connect(app.reader_dsn) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(psycopg.sql.SQL("delete from app.{}").format(psycopg.sql.Identifier(table)))


def test_times_are_written_in_utc(app: DemoPostgres, workspace: Workspace) -> None:
    find(workspace, (0, 0.8, "3"), expires_at=datetime(2027, 1, 1, 23, 30, tzinfo=UTC))
    write_fraud_flags(workspace, dsn=app.pipeline_dsn)
    assert flags_in(app)[PEOPLE[0]]["expires_at"] == datetime(2027, 1, 1, 23, 30, tzinfo=UTC)
