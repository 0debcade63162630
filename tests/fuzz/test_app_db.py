"""Rows of all kinds through real PostgreSQL: no crash, nothing good lost, each bad one accounted for."""

from collections.abc import Iterable

import psycopg
import pytest

from demo.postgres import DemoPostgres
from ingestion.app_db import pull_app_db
from ingestion.app_db_pass import TablePull
from ingestion.app_db_source import AppDbSource
from ingestion.landing import open_landing
from ingestion.quarantine import Quarantine
from pseudonymisation.policy.reading import load_policy
from pseudonymisation.policy.source_tables import app_db_tables
from storage import Workspace
from tests.fuzz.app_rows import fill
from tests.fuzz.loading import load_for


def pull(workspace: Workspace, dsn: str) -> dict[str, TablePull]:
    with open_landing(workspace) as landing:
        pull = pull_app_db(workspace, landing, AppDbSource(dsn=dsn), tables=app_db_tables(load_policy()))
    return {one.table: one for one in pull.tables if one.is_listed}


def play(workspace: Workspace, app_db: DemoPostgres, seed: int, rows: int, purposes: Iterable[str]) -> int:
    filled = fill(app_db.admin_dsn, seed, rows)
    pulls = pull(workspace, app_db.reader_dsn)
    assert {name: one.error for name, one in pulls.items() if one.error} == {}
    kept = Quarantine(workspace).list().to_pylist()
    there = {name: count for name, count in filled.rows.items() if name in pulls}  # nobody gets the others
    for name, count in there.items():
        set_aside = sum(row["position"] == f"app.{name}" for row in kept)
        assert pulls[name].quarantined == set_aside
        assert pulls[name].rows + set_aside == count, name
    assert sum(one.quarantined for one in pulls.values()) > 0
    policy = load_policy()
    for purpose, load in load_for(workspace, purposes).items():
        for table in policy.tables_of(purpose):
            if table.source != "app_db" or table.name not in there:
                continue
            one = load.tables[table.stored_name]
            assert one.loaded + one.refused_unmapped + one.refused_erased == pulls[table.name].rows, (
                purpose,
                table.name,
            )
    again = pull(workspace, app_db.reader_dsn)
    assert {name: one.rows for name, one in again.items() if one.rows} == {}
    print(f"{filled.strange} strange rows")
    return filled.strange


@pytest.mark.slow
def test_strange_rows_are_loaded_or_set_aside(home: Workspace, app_db: DemoPostgres) -> None:
    assert play(home, app_db, seed=1, rows=20, purposes=["fraud"]) > 100


@pytest.mark.endurance
@pytest.mark.parametrize("seed", range(2, 6))
def test_thousands_of_strange_rows_are_loaded_or_set_aside(home: Workspace, app_db: DemoPostgres, seed: int) -> None:
    assert play(home, app_db, seed=seed, rows=110, purposes=load_policy().purposes) > 500


@pytest.mark.slow
def test_a_row_that_is_mended_goes_the_normal_way(home: Workspace, app_db: DemoPostgres) -> None:
    fill(app_db.admin_dsn, 1, 5)
    with psycopg.connect(app_db.admin_dsn) as connection:
        connection.execute(
            "update app.service_offer set price_nok = 'NaN', updated_at = '2026-11-01' where offer_id = 1"
        )
    pull(home, app_db.reader_dsn)
    reasons = [row["reason"] for row in Quarantine(home).list().to_pylist() if row["position"] == "app.service_offer"]
    assert any("price_nok" in reason for reason in reasons)
    with psycopg.connect(app_db.admin_dsn) as connection:
        connection.execute(
            "update app.service_offer set price_nok = 100, created_at = '2026-11-01', updated_at = '2026-11-14' "
            "where offer_id = 1"
        )
    assert pull(home, app_db.reader_dsn)["service_offer"].rows >= 1
