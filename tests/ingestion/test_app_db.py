import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from demo.postgres import DemoPostgres
from ingestion.app_db import pull_app_db
from ingestion.app_db_queries import open_snapshot
from ingestion.app_db_source import AppDbSource
from ingestion.app_db_tables import page_ranges
from ingestion.landing import open_landing
from ingestion.quarantine import Quarantine
from ingestion.source_tables import SourceTable
from pseudonymisation.policy.reading import load_policy
from pseudonymisation.policy.source_tables import app_db_tables
from storage import LeiiError, Workspace
from tests.ingestion.app_db_world import (
    ACCOUNT,
    CATEGORY,
    FILL,
    LOGIN,
    OFFER,
    PROFILE,
    SURVEY,
    TABLES,
    EndingSessions,
    Mirror,
    assert_equal,
    change_at_random,
    execute,
    pull_and_apply,
    source_rows,
)


@pytest.fixture
def filled(app_db: DemoPostgres) -> DemoPostgres:
    execute(app_db.admin_dsn, *FILL)
    return app_db


@pytest.fixture
def mirror(workspace: Workspace) -> Iterator[Mirror]:
    mirror = Mirror(workspace)
    yield mirror
    mirror.close()


def test_the_first_pass_lands_every_row(workspace: Workspace, filled: DemoPostgres, mirror: Mirror) -> None:
    pulls = pull_and_apply(workspace, filled.reader_dsn, mirror, [*TABLES[:-1]])
    assert {name: pull.rows for name, pull in pulls.items() if pull.is_listed} == {
        "account": 300,
        "provider_profile": 100,
        "service_category": 2,
        "service_offer": 100,
        "login": 500,
        "survey_response": 40,
    }
    assert_equal(mirror, filled.admin_dsn, TABLES[:-1])


def test_landed_columns_have_the_types_that_purposes_expect(
    workspace: Workspace, filled: DemoPostgres, mirror: Mirror
) -> None:
    pull_and_apply(workspace, filled.reader_dsn, mirror)
    assert mirror.types(ACCOUNT)["account_id"] == "VARCHAR"
    assert mirror.types(ACCOUNT)["updated_at"] == "TIMESTAMP WITH TIME ZONE"
    assert mirror.types(ACCOUNT)["birth_date"] == "DATE"
    assert mirror.types(OFFER)["price_nok"] == "DECIMAL(10,2)"
    assert mirror.types(PROFILE)["skills"] == "VARCHAR[]"
    assert mirror.types(SURVEY)["answers"] == "VARCHAR"
    assert mirror.types(LOGIN)["ip"] == "VARCHAR"
    assert ("10.0.0.3",) in [(row[4],) for row in mirror.rows(LOGIN)]


def test_an_unchanged_database_lands_nothing(workspace: Workspace, filled: DemoPostgres, mirror: Mirror) -> None:
    pull_and_apply(workspace, filled.reader_dsn, mirror)
    mirror.landed.clear()
    pulls = pull_and_apply(workspace, filled.reader_dsn, mirror)
    assert mirror.landed == []
    assert sum(pull.rows for pull in pulls.values()) == 0


@pytest.mark.parametrize("seed", range(2))
def test_passes_after_random_changes_leave_exactly_the_source(
    workspace: Workspace, filled: DemoPostgres, mirror: Mirror, seed: int
) -> None:
    dice = random.Random(seed)
    minute = 0
    for _ in range(6):
        minute += dice.choice([0, 1, 10, 60])
        with psycopg.connect(filled.admin_dsn) as connection:
            connection.execute("set session_replication_role = replica")  # deletes need not go by foreign keys
            change_at_random(connection, dice, minute)
        pulls = pull_and_apply(workspace, filled.reader_dsn, mirror)
        assert [pull.error for pull in pulls.values() if pull.error] == []
        assert_equal(mirror, filled.admin_dsn)


def test_only_the_changed_rows_and_the_overlap_are_landed(
    workspace: Workspace, filled: DemoPostgres, mirror: Mirror
) -> None:
    pull_and_apply(workspace, filled.reader_dsn, mirror)
    mirror.landed.clear()
    execute(
        filled.admin_dsn,
        "update app.account set full_name = 'Ny', updated_at = '2026-11-15' where email = '7@example.no'",
    )
    execute(filled.admin_dsn, "insert into app.login values (900, null, '2026-10-01 12:00', true)")
    pull_and_apply(workspace, filled.reader_dsn, mirror)
    # account: the changed row and the one newest before it; login: key 900, and the 15 minutes before the last one's time
    assert mirror.landed == [("account", "rows", 2), ("login", "rows", 17), ("login", "keys", 501)]
    assert_equal(mirror, filled.admin_dsn)


def test_a_row_that_commits_after_the_pass_is_seen_by_the_overlap(
    workspace: Workspace, filled: DemoPostgres, mirror: Mirror
) -> None:
    with psycopg.connect(filled.admin_dsn) as slow:
        slow.execute(
            "update app.account set full_name = 'Late', updated_at = '2026-11-15 05:50' where email = '9@example.no'"
        )
        slow.execute("insert into app.login values (901, null, '2026-11-15 05:50', true)")
        execute(filled.admin_dsn, "update app.account set updated_at = '2026-11-15 06:00' where email = '8@example.no'")
        execute(filled.admin_dsn, "insert into app.login values (902, null, '2026-11-15 06:00', true)")
        pull_and_apply(workspace, filled.reader_dsn, mirror)
        slow.commit()
    assert mirror.rows(LOGIN) != source_rows(filled.admin_dsn, LOGIN)
    pull_and_apply(workspace, filled.reader_dsn, mirror)
    assert_equal(mirror, filled.admin_dsn)


def test_without_an_overlap_that_row_would_be_lost(workspace: Workspace, filled: DemoPostgres, mirror: Mirror) -> None:
    with psycopg.connect(filled.admin_dsn) as slow:
        slow.execute(
            "update app.account set full_name = 'Late', updated_at = '2026-11-15 05:50' where email = '9@example.no'"
        )
        execute(filled.admin_dsn, "update app.account set updated_at = '2026-11-15 06:00' where email = '8@example.no'")
        pull_and_apply(workspace, filled.reader_dsn, mirror, overlap=timedelta(minutes=5))
        slow.commit()
    pull_and_apply(workspace, filled.reader_dsn, mirror, overlap=timedelta(minutes=5))
    assert sorted(mirror.rows(ACCOUNT), key=str) != source_rows(filled.admin_dsn, ACCOUNT)


def test_a_row_dated_far_ahead_does_not_hide_what_comes_after(
    workspace: Workspace, filled: DemoPostgres, mirror: Mirror
) -> None:
    execute(filled.admin_dsn, "update app.account set updated_at = '2099-01-01' where email = '8@example.no'")
    pull_and_apply(workspace, filled.reader_dsn, mirror)
    execute(
        filled.admin_dsn, "update app.account set full_name = 'Ny', updated_at = now() where email = '9@example.no'"
    )
    pull_and_apply(workspace, filled.reader_dsn, mirror)
    assert_equal(mirror, filled.admin_dsn)


def test_a_database_restored_from_a_backup_is_read_again(
    workspace: Workspace, filled: DemoPostgres, mirror: Mirror
) -> None:
    execute(
        filled.admin_dsn,
        "update app.account set full_name = 'Ny', updated_at = '2026-11-14' where email = '9@example.no'",
    )
    pull_and_apply(workspace, filled.reader_dsn, mirror)
    execute(
        filled.admin_dsn,
        "update app.account set full_name = 'Gammel', updated_at = '2026-10-02' where email = '9@example.no'",
    )
    pull_and_apply(workspace, filled.reader_dsn, mirror)
    assert_equal(mirror, filled.admin_dsn)


def test_a_new_column_is_left_out_and_reported(workspace: Workspace, filled: DemoPostgres, mirror: Mirror) -> None:
    execute(filled.admin_dsn, "alter table app.account add column shoe_size text default 'Planted'")
    pulls = pull_and_apply(workspace, filled.reader_dsn, mirror)
    assert "shoe_size" in pulls["account"].unclassified_columns
    assert pulls["account"].error is None
    assert pulls["account"].rows == 300
    assert "shoe_size" not in mirror.types(ACCOUNT)


def test_a_lost_column_stops_only_its_table(workspace: Workspace, filled: DemoPostgres, mirror: Mirror) -> None:
    execute(filled.admin_dsn, "alter table app.service_offer drop column title")
    pulls = pull_and_apply(workspace, filled.reader_dsn, mirror)
    assert pulls["service_offer"].missing_columns == ("title",)
    assert "app.service_offer has lost the columns title" in (pulls["service_offer"].error or "")
    assert pulls["service_offer"].rows == 0
    assert_equal(mirror, filled.admin_dsn, [ACCOUNT, PROFILE, CATEGORY, LOGIN, SURVEY])


def test_a_retyped_column_stops_only_its_table(workspace: Workspace, filled: DemoPostgres, mirror: Mirror) -> None:
    typed = replace(
        OFFER, types={"offer_id": "integer", "title": "text", "price_nok": "money", "updated_at": "timestamp"}
    )
    tables = [typed if table is OFFER else table for table in TABLES]
    assert pull_and_apply(workspace, filled.reader_dsn, mirror, tables)["service_offer"].error is None
    execute(filled.admin_dsn, "alter table app.service_offer alter column price_nok type text")
    pulls = pull_and_apply(workspace, filled.reader_dsn, mirror, tables)
    assert "price_nok (money in the policy, text there)" in (pulls["service_offer"].error or "")
    assert pulls["service_offer"].rows == 0
    assert_equal(mirror, filled.admin_dsn, [ACCOUNT, PROFILE, CATEGORY, LOGIN, SURVEY])


def test_the_policy_fits_the_types_of_the_apps_own_schema(workspace: Workspace, app_db: DemoPostgres) -> None:
    with open_landing(workspace) as landing:
        tables = app_db_tables(load_policy())
        pull = pull_app_db(workspace, landing, AppDbSource(dsn=app_db.reader_dsn), tables=tables)
    assert [one.error for one in pull.tables if one.error] == []


def test_a_lost_table_stops_only_itself(workspace: Workspace, filled: DemoPostgres, mirror: Mirror) -> None:
    execute(filled.admin_dsn, "drop table app.survey_response")
    pulls = pull_and_apply(workspace, filled.reader_dsn, mirror)
    assert "not in the app database" in (pulls["survey_response"].error or "")
    assert_equal(mirror, filled.admin_dsn, [ACCOUNT, PROFILE, CATEGORY, LOGIN])


def test_a_missing_right_stops_only_its_table(workspace: Workspace, filled: DemoPostgres, mirror: Mirror) -> None:
    execute(filled.admin_dsn, "revoke select on app.login from leii_reader")
    pulls = pull_and_apply(workspace, filled.reader_dsn, mirror)
    assert "no right to read" in (pulls["login"].error or "")
    assert_equal(mirror, filled.admin_dsn, [ACCOUNT, PROFILE, CATEGORY, SURVEY])


def test_rows_hidden_by_row_security_are_not_taken_for_deleted(
    workspace: Workspace, filled: DemoPostgres, mirror: Mirror
) -> None:
    pull_and_apply(workspace, filled.reader_dsn, mirror)
    before = mirror.rows(LOGIN)
    execute(filled.admin_dsn, "alter table app.login enable row level security")
    pulls = pull_and_apply(workspace, filled.reader_dsn, mirror)
    assert "BYPASSRLS" in (pulls["login"].error or "")
    assert mirror.rows(LOGIN) == before


def test_a_value_that_landing_cannot_hold_costs_its_row_alone_and_is_not_shown(
    workspace: Workspace, filled: DemoPostgres, mirror: Mirror
) -> None:
    execute(filled.admin_dsn, "update app.service_offer set price_nok = 'NaN' where offer_id = 5")
    pulls = pull_and_apply(workspace, filled.reader_dsn, mirror)
    assert (pulls["service_offer"].error, pulls["service_offer"].quarantined) == (None, 1)
    (kept,) = Quarantine(workspace).list().to_pylist()
    assert (kept["position"], kept["reason"]) == (
        "app.service_offer",
        "a value that no later step could hold: price_nok",
    )
    execute(filled.admin_dsn, "delete from app.service_offer where offer_id = 5")
    assert_equal(mirror, filled.admin_dsn, [ACCOUNT, PROFILE, CATEGORY, OFFER, LOGIN, SURVEY])


def test_tables_that_the_policy_does_not_list_are_reported(workspace: Workspace, app_db: DemoPostgres) -> None:
    execute(app_db.admin_dsn, "create table app.brand_new (a integer, b text)")
    execute(app_db.admin_dsn, "grant select on app.brand_new to leii_reader")
    with open_landing(workspace) as landing:
        pulls = pull_app_db(workspace, landing, AppDbSource(dsn=app_db.reader_dsn), tables=TABLES).tables
    unlisted = {pull.table: pull.unclassified_columns for pull in pulls if not pull.is_listed}
    assert unlisted["brand_new"] == ("a", "b")
    assert "booking" in unlisted
    assert not {"fraud_flag", "privacy_receipt", "account"} & set(unlisted)


def test_a_column_that_the_policy_lists_later_is_read_for_all_rows(
    workspace: Workspace, filled: DemoPostgres, mirror: Mirror
) -> None:
    narrow = type(OFFER)(**{**vars(OFFER), "columns": tuple(name for name in OFFER.columns if name != "title")})
    with open_landing(workspace) as landing:
        pull_app_db(workspace, landing, AppDbSource(dsn=filled.reader_dsn), tables=[narrow])
        landing.mark_taken("mirror", [batch.batch_id for batch in landing.pending("mirror")])
    pulls = pull_and_apply(workspace, filled.reader_dsn, mirror, [OFFER])
    assert pulls["service_offer"].rows == 100
    assert_equal(mirror, filled.admin_dsn, [OFFER])


def test_a_database_that_lost_most_rows_at_once_is_not_believed(
    workspace: Workspace, filled: DemoPostgres, mirror: Mirror
) -> None:
    execute(
        filled.admin_dsn,
        "insert into app.login select i, null, '2026-10-02', true from generate_series(501, 1200) as i",
    )
    pull_and_apply(workspace, filled.reader_dsn, mirror)
    execute(filled.admin_dsn, "delete from app.login where login_id > 100")
    pulls = pull_and_apply(workspace, filled.reader_dsn, mirror)
    assert "had 1200 rows on the last pass and has 100 now" in (pulls["login"].error or "")
    assert len(mirror.rows(LOGIN)) == 1200
    pulls = pull_and_apply(workspace, filled.reader_dsn, mirror, allow_mass_deletion=True)
    assert pulls["login"].error is None
    assert_equal(mirror, filled.admin_dsn)


def test_all_tables_are_read_at_the_same_moment(workspace: Workspace, filled: DemoPostgres, mirror: Mirror) -> None:
    """While the pass is at the first table, a change of the last one commits: this pass must not see it."""
    changed = False

    class ChangingTables(tuple[SourceTable, ...]):
        def __iter__(self) -> Iterator[SourceTable]:
            nonlocal changed
            for number, table in enumerate(super().__iter__()):
                if number == 1 and not changed:
                    changed = True
                    execute(
                        filled.admin_dsn, "insert into app.survey_response values (99, null, 'x', '{}', '2026-11-15')"
                    )
                yield table

    pull_and_apply(workspace, filled.reader_dsn, mirror, ChangingTables(TABLES))
    assert changed
    assert len(mirror.rows(SURVEY)) == 40
    pull_and_apply(workspace, filled.reader_dsn, mirror)
    assert_equal(mirror, filled.admin_dsn)


def test_a_pass_whose_session_is_ended_begins_again_and_lands_nothing_twice(
    workspace: Workspace, filled: DemoPostgres, mirror: Mirror
) -> None:
    tables = EndingSessions(TABLES, admin_dsn=filled.admin_dsn, times=1)
    with open_landing(workspace) as landing:
        pull = pull_app_db(workspace, landing, AppDbSource(dsn=filled.reader_dsn), tables=tables)
        mirror.apply_pending(landing)
    assert [one.error for one in pull.tables if one.error] == []
    assert "began again" in pull.notes[0]
    assert len([one for one in mirror.landed if one[:2] == ("account", "rows")]) == 1
    assert {one.table: one.rows for one in pull.tables}["account"] == 300
    assert_equal(mirror, filled.admin_dsn)


def test_a_server_that_ends_every_session_is_told_and_the_next_pass_goes_on_from_there(
    workspace: Workspace, filled: DemoPostgres, mirror: Mirror
) -> None:
    tables = EndingSessions(TABLES, admin_dsn=filled.admin_dsn, times=99)
    with open_landing(workspace) as landing, pytest.raises(LeiiError, match="the next run goes on from there"):
        pull_app_db(workspace, landing, AppDbSource(dsn=filled.reader_dsn), tables=tables)
    pulls = pull_and_apply(workspace, filled.reader_dsn, mirror)
    assert pulls["account"].rows == 0
    assert pulls["login"].rows == 500
    assert_equal(mirror, filled.admin_dsn)


@pytest.mark.parametrize("connections", [1, 3])
def test_a_table_read_in_many_ranges_over_several_connections_is_whole(
    workspace: Workspace, filled: DemoPostgres, mirror: Mirror, connections: int
) -> None:
    execute(filled.admin_dsn, "delete from app.login where login_id % 7 = 0")
    source = AppDbSource(dsn=filled.reader_dsn, batch_rows=100, connections=connections)
    with open_snapshot(filled.reader_dsn) as snapshot:
        assert len(page_ranges(snapshot, "login", 100)) > 2
    pull_and_apply(workspace, source, mirror)
    assert_equal(mirror, filled.admin_dsn)
    execute(filled.admin_dsn, "delete from app.login where login_id % 5 = 0")
    pull_and_apply(workspace, source, mirror)
    assert_equal(mirror, filled.admin_dsn)
    mirror.landed.clear()
    pull_and_apply(workspace, filled.reader_dsn, mirror)  # the ranges have no part in what is compared
    assert mirror.landed == []


def test_a_statement_that_takes_too_long_stops_only_its_table(
    workspace: Workspace, filled: DemoPostgres, mirror: Mirror
) -> None:
    execute(
        filled.admin_dsn,
        "alter table app.survey_response rename to slow_survey",
        "create view app.survey_response as select * from app.slow_survey where pg_sleep(0.2)::text is not null",
        "grant select on app.survey_response to leii_reader",
    )
    source = AppDbSource(dsn=filled.reader_dsn, statement_timeout_seconds=1)
    pulls = pull_and_apply(workspace, source, mirror)
    assert "LEII_APP_DB_STATEMENT_TIMEOUT_SECONDS" in (pulls["survey_response"].error or "")
    assert_equal(mirror, filled.admin_dsn, [ACCOUNT, PROFILE, CATEGORY, OFFER, LOGIN])


def test_a_table_rewritten_during_the_pass_is_not_taken_for_empty(
    workspace: Workspace, filled: DemoPostgres, mirror: Mirror
) -> None:
    pull_and_apply(workspace, filled.reader_dsn, mirror)

    class RewritingTables(tuple[SourceTable, ...]):
        def __iter__(self) -> Iterator[SourceTable]:
            for number, table in enumerate(super().__iter__()):
                if number == 1:
                    execute(filled.admin_dsn, "alter table app.login alter column login_id type numeric")
                    execute(filled.admin_dsn, "alter table app.login alter column login_id type bigint")
                yield table

    pulls = pull_and_apply(workspace, filled.reader_dsn, mirror, RewritingTables(TABLES))
    assert "was rewritten" in (pulls["login"].error or "")
    assert len(mirror.rows(LOGIN)) == 500
    assert pull_and_apply(workspace, filled.reader_dsn, mirror)["login"].error is None
    assert_equal(mirror, filled.admin_dsn)


def test_a_replica_is_read_where_one_is_given(workspace: Workspace, filled: DemoPostgres, mirror: Mirror) -> None:
    nowhere = "postgresql://leii:leii@127.0.0.1:1/leii"
    pull_and_apply(workspace, AppDbSource(dsn=nowhere, replica_dsn=filled.reader_dsn), mirror)
    assert_equal(mirror, filled.admin_dsn)


def test_no_cursor_holds_a_value_of_a_row_but_times_and_growing_keys(
    workspace: Workspace, filled: DemoPostgres
) -> None:
    with open_landing(workspace) as landing:
        pull_app_db(workspace, landing, AppDbSource(dsn=filled.reader_dsn), tables=TABLES)
        cursors = [landing.cursor("app_db", table.name) for table in TABLES]
    assert {name for cursor in cursors for name in cursor} == {"shape", "keys", "key_count", "window", "time", "key"}
    assert cursors[4]["key"] == 500
    assert all(cursor.get("key") is None for cursor in cursors[:4])
