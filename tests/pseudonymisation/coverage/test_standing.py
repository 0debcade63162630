"""What stands under LEII_HOME: a table or file that nothing names is found, in every database and folder."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest

from ingestion.landing import open_landing
from pseudonymisation.coverage.declared import load_exemptions
from pseudonymisation.coverage.models import Model
from pseudonymisation.coverage.standing import check_home
from pseudonymisation.erasure.held import open_held
from pseudonymisation.loading import create_tables, open_purpose
from pseudonymisation.notices.store import open_notices
from pseudonymisation.policy.model import Policy
from pseudonymisation.vault import open_vault
from publishing.private_counts import releasing
from storage import Workspace, attached
from storage.contents import KINDS, kind_of

Check = Callable[[], list[str]]
VERSION = "20261115T060000Z-1"


@pytest.fixture
def standing(workspace: Workspace, policy: Policy, models: list[Model]) -> Workspace:
    """Every database of a LEII_HOME with the tables that a run makes, all of them empty."""
    with workspace.connect() as con:
        with open_vault(con, workspace), open_held(con, workspace), open_notices(con, workspace):
            pass
        for purpose in policy.purposes:
            with open_purpose(con, workspace, purpose):
                create_tables(con, policy, purpose)
                for model in models:
                    if model.purpose == purpose and model.materialized != "ephemeral":
                        what = "VIEW" if model.materialized == "view" else "TABLE"
                        con.execute(f"CREATE SCHEMA IF NOT EXISTS purpose.{model.relation.split('.')[0]}")
                        con.execute(f"CREATE {what} purpose.{model.relation} AS SELECT 1 AS one")
            with copy_of(workspace, con, purpose):
                con.execute("CREATE SCHEMA copy.marts; CREATE TABLE copy.main.about AS SELECT 1 AS one")
                for model in models:
                    if model.purpose == purpose and model.is_public:
                        con.execute(f"CREATE TABLE copy.{model.relation} AS SELECT 1 AS one")
                if purpose == releasing.PURPOSE:
                    for table, columns in releasing.TABLES.items():
                        con.execute(f"CREATE TABLE copy.marts.{table} ({columns})")
            (workspace.home.published_folder(purpose) / "current.duckdb").symlink_to(f"{VERSION}.duckdb")
    with open_landing(workspace):
        pass
    return workspace


def copy_of(workspace: Workspace, con, purpose: str):  # type: ignore[no-untyped-def]
    path = workspace.home.published_folder(purpose) / f"{VERSION}.duckdb"
    return attached(con, path, "copy", workspace.keyring.purpose_key(purpose, "published"))


@pytest.fixture
def check(standing: Workspace, policy: Policy, models: list[Model]) -> Check:
    return lambda: check_home(standing, policy, load_exemptions(), models)


def test_what_a_run_makes_is_all_named_and_whatever_is_stray_is_found(standing: Workspace, check: Check) -> None:
    assert check() == []
    with standing.connect() as con:
        with open_vault(con, standing):
            con.execute("CREATE TABLE vault.stray (a INTEGER)")
        with open_held(con, standing):
            con.execute("CREATE TABLE held.stray (a INTEGER)")
        with open_purpose(con, standing, "fraud"):
            con.execute("CREATE TABLE purpose.src.app_db__booking_old (a INTEGER)")
            con.execute("CREATE TABLE purpose.marts.fct_flag__dbt_tmp (a INTEGER)")
            con.execute("DROP VIEW purpose.staging.stg_fraud__login")
            con.execute("CREATE TABLE purpose.staging.stg_fraud__login (a INTEGER)")
        with open_purpose(con, standing, "accounting"):
            con.execute("CREATE TABLE purpose.src.app_db__login (a INTEGER)")
        with copy_of(standing, con, "matching"):
            con.execute("CREATE TABLE copy.marts.stray (a INTEGER)")
    with closing(sqlite3.connect(standing.home.landing / "register.sqlite")) as register:
        register.execute("create table stray (a integer)")
    strange = ["notes.txt", "warehouse/marketing.duckdb", "exports/people.csv", "vault/vault.duckdb.bak", "dbt/x/y.sql"]
    for name in strange:
        (standing.home.root / name).parent.mkdir(parents=True, exist_ok=True)
        (standing.home.root / name).write_text("")
    found = check()
    expected = [
        "vault: table main.stray",
        "held: table main.stray",
        "warehouse/fraud: table src.app_db__booking_old",
        "warehouse/fraud: table marts.fct_flag__dbt_tmp",
        "warehouse/fraud: table staging.stg_fraud__login",
        "warehouse/accounting: table src.app_db__login",
        "published/matching: table marts.stray",
        "landing: table main.stray",
        *(f"{name}: a file of no kind" for name in strange),
    ]
    assert [one for one in expected if not any(problem.startswith(one) for problem in found)] == []
    assert len(found) == len(expected)


def test_every_name_of_the_pipelines_own_tables_is_needed(
    standing: Workspace, policy: Policy, models: list[Model]
) -> None:
    exemptions = load_exemptions()
    found = check_home(standing, policy, replace(exemptions, pipelines_own={}), models)
    unfound = [
        (zone, table)
        for zone, tables in exemptions.pipelines_own.items()
        for table in tables
        if not any(problem.startswith(zone) and f"table {table} " in problem for problem in found)
    ]
    assert unfound == []


def test_a_database_that_cannot_be_read_is_not_passed_over(standing: Workspace, check: Check) -> None:
    standing.home.held_file.write_bytes(b"no database")
    assert [problem.split(":")[0] for problem in check()] == ["held"]


@pytest.mark.parametrize(
    "path",
    [
        "landing/app_db-account-rows-0123456789abcdef0123456789abcdef.parquet",
        "quarantine/20261115T060000Z-860720a49a8d4e96bcbbac0912ef87c7.parquet",
        "published/fraud/20261115T060000Z-12.duckdb",
        "budget/private_counts.jsonl",
        "certificates/000001-cb67844c-00ce-4cdf-b46e-56dfeff870dc.json",
        "dagster/history/runs/1d39fbff-b3a7-4be0-bc7a-ec2cbe28d984.db-wal",
        "dbt/fraud/target/run/leii/models/fraud/marts/_fraud__marts.yml/unique_fct_flag_flag_id.sql",
        "extensions/v1.5.5/linux_amd64/httpfs.duckdb_extension",
        ".keyring.json.4711.tmp",
        "warehouse/.fraud.duckdb.4711.new",
    ],
)
def test_a_file_that_a_run_leaves_has_a_kind(path: str, policy: Policy) -> None:
    assert kind_of(path, policy.purposes) is not None


@pytest.mark.parametrize(
    "path",
    ["landing/accounts.csv", "published/fraud/copy.duckdb", "published/sales/20261115T060000Z-12.duckdb", "core.1234"],
)
def test_a_file_of_another_name_has_none(path: str, policy: Policy) -> None:
    assert kind_of(path, policy.purposes) is None


def test_every_kind_of_file_says_what_it_holds() -> None:
    assert all(kind.holds and kind.zone for kind in KINDS)
