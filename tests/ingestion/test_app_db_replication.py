"""Logical replication on a real server: whatever happens, what a reader of landing ends up with is the source."""

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from demo.postgres import DemoPostgres, start_postgres, stop_postgres
from ingestion.app_db import pull_app_db
from ingestion.app_db_source import AppDbSource
from ingestion.landing import open_landing
from orchestration.settings import Settings
from orchestration.status import read_status
from storage import LeiiError, Workspace
from tests.ingestion.app_db_world import (
    ACCOUNT,
    CATEGORY,
    FILL,
    LOGIN,
    OFFER,
    PROFILE,
    REQUEST,
    SURVEY,
    TABLES,
    EndingSessions,
    Mirror,
    assert_equal,
    change_at_random,
    execute,
    pull_and_apply,
)
from tests.ingestion.conftest import SCHEMA
from tests.ingestion.test_app_db_killed import survived

DROP_SLOTS = "select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active"


@pytest.fixture(scope="module")
def logical_server() -> Iterator[DemoPostgres]:
    with tempfile.TemporaryDirectory(prefix="leii-test-") as folder:
        server = start_postgres(Path(folder))
        with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
            connection.execute("alter system set wal_level = 'logical'")
            connection.execute("alter role leii_reader replication")
            connection.execute("create publication leii for all tables")
        stop_postgres(Path(folder))
        start_postgres(Path(folder), port=server.port)
        try:
            yield server
        finally:
            stop_postgres(Path(folder))


@pytest.fixture
def app(logical_server: DemoPostgres) -> DemoPostgres:
    """The app's schema, empty, and no slot."""
    with psycopg.connect(logical_server.admin_dsn) as connection:
        connection.execute(DROP_SLOTS)
        connection.execute("drop schema app cascade")
        connection.execute(SCHEMA.read_bytes())
        connection.execute("grant usage on schema app to leii_reader")
        connection.execute("grant select on all tables in schema app to leii_reader")
    return logical_server


@pytest.fixture
def filled(app: DemoPostgres) -> DemoPostgres:
    execute(app.admin_dsn, *FILL)
    return app


@pytest.fixture
def source(app: DemoPostgres) -> AppDbSource:
    return AppDbSource(dsn=app.reader_dsn, is_replicated=True)


@pytest.fixture
def mirror(workspace: Workspace) -> Iterator[Mirror]:
    mirror = Mirror(workspace)
    yield mirror
    mirror.close()


def notes(workspace: Workspace, source: AppDbSource, mirror: Mirror) -> tuple[str, ...]:
    with open_landing(workspace) as landing:
        pull = pull_app_db(workspace, landing, source, tables=TABLES)
        mirror.apply_pending(landing)
    assert [one.error for one in pull.tables if one.error] == []
    return pull.notes


def test_a_change_is_landed_once_and_an_unchanged_database_lands_nothing(
    workspace: Workspace, filled: DemoPostgres, source: AppDbSource, mirror: Mirror
) -> None:
    pull_and_apply(workspace, source, mirror)
    assert_equal(mirror, filled.admin_dsn)
    mirror.landed.clear()
    execute(
        filled.admin_dsn, "update app.service_offer set price_nok = 7 where offer_id = 3"
    )  # updated_at does not move
    pulls = pull_and_apply(workspace, source, mirror)
    assert mirror.landed == [("service_offer", "rows", 1)]
    assert pulls["service_offer"].rows == 1
    assert_equal(mirror, filled.admin_dsn)
    pull_and_apply(workspace, source, mirror)
    assert len(mirror.landed) == 1


@pytest.mark.parametrize(("seed", "batch_rows"), [(0, 250_000), (1, 3)])
def test_passes_after_random_changes_leave_exactly_the_source(
    workspace: Workspace, filled: DemoPostgres, mirror: Mirror, seed: int, batch_rows: int
) -> None:
    source = AppDbSource(dsn=filled.reader_dsn, is_replicated=True, batch_rows=batch_rows)
    dice = random.Random(seed)
    for minute in range(6):
        for _ in range(3):
            with psycopg.connect(filled.admin_dsn) as connection:
                connection.execute("set session_replication_role = replica")
                change_at_random(connection, dice, minute)
        assert notes(workspace, source, mirror) == ()
        assert_equal(mirror, filled.admin_dsn)


def test_a_large_value_that_a_change_did_not_touch_is_kept(
    workspace: Workspace, filled: DemoPostgres, source: AppDbSource, mirror: Mirror
) -> None:
    execute(
        filled.admin_dsn,
        """update app.survey_response set answers = (select jsonb_agg(md5(i::text)) from generate_series(1, 2000) as i)
           where response_id in (1, 2)""",
    )
    pull_and_apply(workspace, source, mirror)
    execute(filled.admin_dsn, "update app.survey_response set survey = 'churn' where response_id = 1")
    execute(filled.admin_dsn, "update app.survey_response set response_id = 1000 where response_id = 2")
    pull_and_apply(workspace, source, mirror)
    assert_equal(mirror, filled.admin_dsn)
    execute(filled.admin_dsn, "alter table app.survey_response replica identity full")
    execute(filled.admin_dsn, "update app.survey_response set survey = 'again' where response_id = 1")
    pull_and_apply(workspace, source, mirror)
    assert_equal(mirror, filled.admin_dsn)


def test_a_moved_key_a_deletion_and_a_row_that_came_and_went_leave_the_source(
    workspace: Workspace, filled: DemoPostgres, source: AppDbSource, mirror: Mirror
) -> None:
    pull_and_apply(workspace, source, mirror)
    execute(
        filled.admin_dsn,
        "update app.login set login_id = 9000 where login_id = 7",
        "delete from app.login where login_id = 8",
        "insert into app.login values (9001, null, '2026-11-15', true)",
        "delete from app.login where login_id = 9001",
        "delete from app.service_offer where offer_id = 4",
        "insert into app.service_offer select 4, provider_id, 1, 'Ny', null, 9, 'job', true, now(), now() "
        "from app.service_offer where offer_id = 5",
    )
    mirror.landed.clear()
    pull_and_apply(workspace, source, mirror)
    assert mirror.landed == [("service_offer", "rows", 1), ("login", "deleted", 3), ("login", "rows", 1)]
    assert_equal(mirror, filled.admin_dsn)


def test_a_truncated_table_is_empty_and_what_came_after_is_there(
    workspace: Workspace, filled: DemoPostgres, source: AppDbSource, mirror: Mirror
) -> None:
    pull_and_apply(workspace, source, mirror)
    execute(
        filled.admin_dsn,
        "update app.survey_response set survey = 'gone' where response_id = 1",
        "truncate app.survey_response",
        "insert into app.survey_response values (99, null, 'x', '{}', '2026-11-15')",
    )
    pull_and_apply(workspace, source, mirror)
    assert len(mirror.rows(SURVEY)) == 1
    assert_equal(mirror, filled.admin_dsn)


def test_a_lost_slot_is_told_and_everything_is_read_again(
    workspace: Workspace, filled: DemoPostgres, source: AppDbSource, mirror: Mirror
) -> None:
    pull_and_apply(workspace, source, mirror)
    execute(
        filled.admin_dsn, "select pg_drop_replication_slot('leii')", "delete from app.login where login_id in (7, 8)"
    )
    (note,) = notes(workspace, source, mirror)
    assert "the replication slot leii is gone: every table is read whole" in note
    assert_equal(mirror, filled.admin_dsn)
    assert notes(workspace, source, mirror) == ()


def test_a_slot_that_somebody_else_advanced_is_told(
    workspace: Workspace, filled: DemoPostgres, source: AppDbSource, mirror: Mirror
) -> None:
    pull_and_apply(workspace, source, mirror)
    execute(filled.admin_dsn, "set synchronous_commit = on", "delete from app.login where login_id = 7")
    execute(filled.admin_dsn, "select pg_replication_slot_advance('leii', pg_current_wal_flush_lsn())")
    (note,) = notes(workspace, source, mirror)
    assert "somebody else has read from the replication slot leii" in note
    assert_equal(mirror, filled.admin_dsn)


def test_the_slot_is_dropped_when_replication_is_no_longer_set(
    workspace: Workspace, filled: DemoPostgres, source: AppDbSource, mirror: Mirror
) -> None:
    pull_and_apply(workspace, source, mirror)
    execute(filled.admin_dsn, "delete from app.login where login_id = 7")
    by_time = AppDbSource(dsn=filled.reader_dsn)
    (note,) = notes(workspace, by_time, mirror)
    assert "slot leii was dropped" in note
    assert_equal(mirror, filled.admin_dsn)
    assert notes(workspace, by_time, mirror) == ()
    assert notes(workspace, source, mirror) == ()
    assert_equal(mirror, filled.admin_dsn)


def test_kept_back_wal_is_told(workspace: Workspace, filled: DemoPostgres, mirror: Mirror) -> None:
    source = AppDbSource(dsn=filled.reader_dsn, is_replicated=True, kept_wal_limit_mb=1)
    notes(workspace, source, mirror)
    with psycopg.connect(filled.admin_dsn) as open_for_long:
        open_for_long.execute("insert into app.login values (9000, null, '2026-11-15', true)")
        execute(
            filled.admin_dsn,
            "create table public.ballast as select repeat(md5(i::text), 9) from generate_series(1, 9000) i",
        )
        (note,) = notes(workspace, source, mirror)
    execute(filled.admin_dsn, "drop table public.ballast")
    assert "MB of WAL back" in note


def test_a_value_that_landing_cannot_hold_costs_its_row_until_it_is_mended(
    workspace: Workspace, filled: DemoPostgres, source: AppDbSource, mirror: Mirror
) -> None:
    pull_and_apply(workspace, source, mirror)
    execute(filled.admin_dsn, "update app.service_offer set price_nok = 'NaN' where offer_id = 5")
    execute(filled.admin_dsn, "delete from app.login where login_id = 8")
    pulls = pull_and_apply(workspace, source, mirror)
    assert "does not fit" in (pulls["service_offer"].error or "")
    assert_equal(mirror, filled.admin_dsn, [ACCOUNT, PROFILE, CATEGORY, LOGIN, SURVEY, REQUEST])
    pulls = pull_and_apply(workspace, source, mirror)  # it is read whole, all but that row
    assert (pulls["service_offer"].error, pulls["service_offer"].rows, pulls["service_offer"].quarantined) == (
        None,
        99,
        1,
    )
    execute(filled.admin_dsn, "update app.service_offer set price_nok = 5 where offer_id = 5")
    assert notes(workspace, source, mirror) == ()
    assert_equal(mirror, filled.admin_dsn)


def test_the_status_says_how_much_wal_is_kept_back(
    workspace: Workspace, filled: DemoPostgres, source: AppDbSource, mirror: Mirror, tmp_path: Path
) -> None:
    (tmp_path / "status").mkdir()
    settings = Settings.model_construct(
        home=tmp_path / "status", app_db_dsn=SecretStr(source.dsn), app_db_changes="logical_replication"
    )
    settings.workspace()
    assert read_status(settings)["replication"] == {"slot": "leii", "state": "not made yet, or gone"}
    notes(workspace, source, mirror)
    standing = read_status(settings)["replication"]
    assert (standing["state"], standing["limit_mb"]) == ("good", 4096)
    assert standing["kept_wal_mb"] < 4096


def test_a_table_whose_columns_changed_is_read_whole_again(
    workspace: Workspace, filled: DemoPostgres, source: AppDbSource, mirror: Mirror
) -> None:
    pull_and_apply(workspace, source, mirror)
    execute(
        filled.admin_dsn,
        "update app.service_offer set title = 'Before' where offer_id = 5",
        "alter table app.service_offer add column colour text, alter column price_nok type numeric(14, 3)",
        "update app.service_offer set title = 'After', colour = 'Planted' where offer_id = 6",
    )
    pulls = pull_and_apply(workspace, source, mirror)
    assert "colour" in pulls["service_offer"].unclassified_columns
    assert pulls["service_offer"].error is None
    assert mirror.types(OFFER)["price_nok"].startswith("DECIMAL")
    execute(filled.admin_dsn, "alter table app.service_offer drop column title")
    pulls = pull_and_apply(workspace, source, mirror)
    assert "has lost the columns title" in (pulls["service_offer"].error or "")
    assert_equal(mirror, filled.admin_dsn, [ACCOUNT, PROFILE, CATEGORY, LOGIN, SURVEY, REQUEST])


def test_a_table_without_its_publication_or_identity_stops_alone(
    workspace: Workspace, filled: DemoPostgres, mirror: Mirror
) -> None:
    execute(
        filled.admin_dsn,
        "create publication part for table app.account, app.login, app.provider_profile, app.service_category, "
        "app.service_offer, app.privacy_request",
        "alter table app.login replica identity nothing",
    )
    source = AppDbSource(dsn=filled.reader_dsn, is_replicated=True, slot="part")
    pulls = pull_and_apply(workspace, source, mirror)
    execute(filled.admin_dsn, "drop publication part")
    assert "ALTER PUBLICATION part ADD TABLE app.survey_response" in (pulls["survey_response"].error or "")
    assert "replica identity does not hold the key login_id" in (pulls["login"].error or "")
    assert_equal(mirror, filled.admin_dsn, [ACCOUNT, PROFILE, CATEGORY, OFFER, REQUEST])


def test_a_mass_deletion_is_not_believed(
    workspace: Workspace, filled: DemoPostgres, source: AppDbSource, mirror: Mirror
) -> None:
    execute(
        filled.admin_dsn, "insert into app.login select i, null, '2026-10-02', true from generate_series(501, 1200) i"
    )
    pull_and_apply(workspace, source, mirror)
    execute(filled.admin_dsn, "delete from app.login where login_id > 100")
    for _ in range(2):
        pulls = pull_and_apply(workspace, source, mirror)
        assert "had 1200 rows on the last pass and has 100 now" in (pulls["login"].error or "")
        assert len(mirror.rows(LOGIN)) == 1200
    pulls = pull_and_apply(workspace, source, mirror, allow_mass_deletion=True)
    assert pulls["login"].error is None
    assert_equal(mirror, filled.admin_dsn)


def test_a_pass_whose_session_is_ended_begins_again(
    workspace: Workspace, filled: DemoPostgres, source: AppDbSource, mirror: Mirror
) -> None:
    tables = EndingSessions(TABLES, admin_dsn=filled.admin_dsn, times=1)
    with open_landing(workspace) as landing:
        pull = pull_app_db(workspace, landing, source, tables=tables)
        mirror.apply_pending(landing)
    assert tables.times == 0
    assert [one.error for one in pull.tables if one.error] == []
    assert "began again" in pull.notes[0]
    assert_equal(mirror, filled.admin_dsn)


@pytest.mark.parametrize(
    ("role", "slot", "word"),
    [
        ("reader", "other", "CREATE PUBLICATION other FOR TABLES IN SCHEMA app"),
        ("pipeline", "leii", "ALTER ROLE leii_pipeline REPLICATION"),
    ],
)
def test_what_the_server_lacks_is_told(
    workspace: Workspace, filled: DemoPostgres, role: str, slot: str, word: str
) -> None:
    source = AppDbSource(dsn=getattr(filled, f"{role}_dsn"), is_replicated=True, slot=slot)
    with open_landing(workspace) as landing, pytest.raises(LeiiError, match=word):
        pull_app_db(workspace, landing, source, tables=TABLES)


def test_a_server_that_logs_too_little_is_told(workspace: Workspace, app_db: DemoPostgres) -> None:
    with open_landing(workspace) as landing, pytest.raises(LeiiError, match="wal_level = logical"):
        pull_app_db(workspace, landing, AppDbSource(dsn=app_db.reader_dsn, is_replicated=True), tables=TABLES)


@pytest.mark.slow
def test_a_pull_killed_at_some_lines_and_run_again_gives_the_source(tmp_path: Path, app: DemoPostgres) -> None:
    assert survived(tmp_path, app, 251, 601, "replicated") >= 1


@pytest.mark.endurance
@pytest.mark.timeout(1800)
def test_a_pull_killed_at_many_lines_and_run_again_gives_the_source(tmp_path: Path, app: DemoPostgres) -> None:
    assert survived(tmp_path, app, 7, 31, "replicated") >= 20
