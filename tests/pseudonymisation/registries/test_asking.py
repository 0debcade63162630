"""Answers reach the fraud purpose, are kept for a time under hashes alone, change with the register, and go with the person."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from demo.postgres import DemoPostgres, running_postgres
from ingestion.app_db import pull_app_db
from ingestion.app_db_source import AppDbSource
from ingestion.landing import open_landing
from pseudonymisation.loading import load_purpose, register_people
from pseudonymisation.policy.source_tables import app_db_tables
from pseudonymisation.registries.answers import forget_answers, load_answers
from pseudonymisation.registries.asking import Asked, ask_enhetsregisteret
from pseudonymisation.session import prepare_session
from pseudonymisation.vault import open_vault
from storage import Workspace
from tests.pseudonymisation.conftest import Market, account_id
from tests.pseudonymisation.registries.conftest import RegisterServer, organisation
from tests.pseudonymisation.registries.test_validity import made_up

pytestmark = pytest.mark.slow

NUMBERS = made_up("org_number", 4)
NAMES = ("Eksempel Renhold", "Kari Nordmann", "Noe Annet", "Kari Nordmann")
SAID = "organisation_registration, organisation_is_deregistered, organisation_is_bankrupt, name_is_as_registered"


@pytest.fixture(scope="module")
def postgres() -> Iterator[DemoPostgres]:
    with tempfile.TemporaryDirectory(prefix="leii-postgres-") as data, running_postgres(Path(data)) as server:
        yield server


@dataclass(kw_only=True)
class Town:
    """Four providers in the app's database, the register, and a LEII_HOME."""

    market: Market
    postgres: DemoPostgres
    register: RegisterServer

    def app(self, sql: str, *parameters: Any) -> None:
        with psycopg.connect(self.postgres.admin_dsn) as connection:
            connection.execute(sql, parameters)

    def run_pass(self, *, days: int = 0, most: int = 1000) -> Asked:
        this = self.market
        this.workspace = replace(this.workspace, now=this.workspace.now + timedelta(days=days))
        dsn = self.postgres.pipeline_dsn
        tables = [one for one in app_db_tables(this.policy) if one.name in ("account", "provider_profile")]
        with open_landing(this.workspace) as landing:
            pull = pull_app_db(this.workspace, landing, AppDbSource(dsn=dsn), tables=tables)
            assert not [one.error for one in pull.tables if one.error]
            asked = ask_enhetsregisteret(
                this.workspace,
                landing,
                this.policy,
                dsn=dsn,
                api_base=self.register.api_base,
                most=most,
                first_wait_seconds=0.01,
            )
            register_people(this.workspace, landing, this.policy)
            load_purpose(this.workspace, landing, this.policy, "fraud")
        return asked

    def outcomes(self) -> list[tuple[Any, ...]]:
        """In the order of the providers, who are told apart by the day on which they were published."""
        rows = self.market.query(
            "fraud", f"SELECT {SAID} FROM purpose.src.app_db__provider_profile ORDER BY published_at"
        )
        return [tuple(row.values()) for row in rows]


@pytest.fixture
def town(market: Market, postgres: DemoPostgres, register: RegisterServer) -> Town:
    town = Town(market=market, postgres=postgres, register=register)
    town.app("truncate app.account cascade")
    for number, (stated, name) in enumerate(zip(NUMBERS, NAMES, strict=True), start=1):
        town.app(
            "insert into app.account (account_id, created_at, updated_at, full_name, email, is_provider) "
            "values (%s, '2026-01-01', '2026-01-01', %s, %s, true)",
            account_id(number),
            name,
            f"p{number}@example.no",
        )
        town.app(
            "insert into app.provider_profile (account_id, display_name, org_number, published_at, updated_at) "
            "values (%s, %s, %s, timestamptz '2026-01-01' + %s * interval '1 day', '2026-01-02')",
            account_id(number),
            name,
            stated,
            number,
        )
    answer(register)
    return town


def answer(register: RegisterServer, **changes: Any) -> None:
    """The first is well, the second bears another name, the third is not known, the fourth a sole proprietor."""
    register.answer(
        {
            f"enheter/{NUMBERS[0]}": [[200, organisation(NUMBERS[0], **changes)]],
            f"enheter/{NUMBERS[1]}": [[200, organisation(NUMBERS[1], "OLA HANSEN MALER")]],
            f"enheter/{NUMBERS[3]}": [[200, organisation(NUMBERS[3], "NORDMANN KARI")]],
        }
    )


WELL = [
    ("valid", False, False, True),
    ("valid", False, False, False),
    ("invalid", None, None, None),
    ("valid", False, False, True),
]


def test_outcomes_reach_fraud_and_nothing_is_asked_twice_within_a_week(town: Town) -> None:
    assert town.run_pass() == Asked(asked=4, answered=4, waiting=0, landed_again=0)
    assert town.outcomes() == WELL
    asked = len(town.register.asked())
    assert asked == 5  # one of them among the branches too
    assert town.run_pass(days=6) == Asked(asked=0, answered=0, waiting=0, landed_again=0)
    assert len(town.register.asked()) == asked


def test_a_bankruptcy_reaches_fraud_though_the_app_has_not_changed(town: Town) -> None:
    town.run_pass()
    answer(town.register, konkurs=True)
    assert town.run_pass(days=8) == Asked(asked=4, answered=4, waiting=0, landed_again=1)
    assert town.outcomes() == [("valid", False, True, True), *WELL[1:]]


def test_a_register_that_is_down_changes_nothing_and_is_asked_again(town: Town) -> None:
    town.run_pass()
    town.register.answer({f"enheter/{number}": [[500, None]] for number in NUMBERS})
    assert town.run_pass(days=8) == Asked(asked=4, answered=0, waiting=4, landed_again=0)
    assert town.outcomes() == WELL
    answer(town.register, konkurs=True)
    assert town.run_pass().landed_again == 1
    assert town.outcomes()[0] == ("valid", False, True, True)


def test_without_any_answer_the_outcome_is_unknown_and_mended_later(town: Town) -> None:
    town.register.answer({f"enheter/{number}": [[500, None]] for number in NUMBERS})
    town.run_pass()
    assert town.outcomes() == [("unknown", None, None, None)] * 4
    answer(town.register)
    assert town.run_pass().landed_again == 4
    assert town.outcomes() == WELL


def test_a_pass_asks_so_many_and_the_rest_come_next(town: Town) -> None:
    assert town.run_pass(most=3).waiting == 1
    assert sorted(row[0] for row in town.outcomes()).count("not_asked") == 1
    assert town.run_pass(most=3) == Asked(asked=1, answered=1, waiting=0, landed_again=1)
    assert town.outcomes() == WELL


def test_another_number_or_name_is_asked_about_anew(town: Town) -> None:
    town.run_pass()
    town.app(
        "update app.provider_profile set display_name = 'Ola Hansen', updated_at = '2026-11-14' where account_id = %s",
        account_id(2),
    )
    assert town.run_pass().asked == 1
    assert town.outcomes() == [WELL[0], WELL[0], *WELL[2:]]


def kept(workspace: Workspace) -> list[tuple[Any, ...]]:
    with workspace.connect() as con:
        prepare_session(con, workspace)
        return con.execute("SELECT account_hash, outcome FROM organisation_answer").fetchall()


def test_what_is_kept_holds_no_number_and_no_name_and_opens_with_the_key_alone(town: Town) -> None:
    town.run_pass()
    file = town.market.workspace.home.registry_answers
    content = file.read_bytes()
    with town.market.workspace.connect() as con:
        load_answers(con, town.market.workspace)
        plain = str(con.execute("SELECT * FROM organisation_answer").fetchall())
    for secret in (*NUMBERS, *NAMES, "NORDMANN", "EKSEMPEL"):
        assert secret.encode() not in content
        assert secret not in plain
    with duckdb.connect() as con, pytest.raises(duckdb.Error):
        con.execute(f"SELECT * FROM '{file}'").fetchall()


def test_an_old_answer_is_none(town: Town) -> None:
    town.run_pass()
    assert len(kept(town.market.workspace)) == 4
    assert kept(replace(town.market.workspace, now=town.market.workspace.now + timedelta(days=31))) == []


def test_answers_go_with_the_person(town: Town) -> None:
    town.run_pass()
    workspace = town.market.workspace
    with workspace.connect() as con:
        prepare_session(con, workspace)
        with open_vault(con, workspace):
            con.execute("INSERT INTO vault.tombstone SELECT alias_hash('account', ?), NULL", [account_id(4)])
            assert forget_answers(con, workspace) == 1
    assert len(kept(workspace)) == 3
    town.run_pass()
    assert len(kept(workspace)) == 3
    assert f"/enhetsregisteret/api/enheter/{NUMBERS[3]}" not in [one["path"] for one in town.register.asked()[5:]]


def test_who_has_left_the_app_is_not_kept(town: Town) -> None:
    town.run_pass()
    town.app("delete from app.provider_profile where account_id = %s", account_id(1))
    town.run_pass()
    assert len(kept(town.market.workspace)) == 3
