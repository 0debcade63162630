"""A small world in the app's own schema, the tables that are read of it, and what a reader of landing ends up with."""

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from ingestion.app_db import pull_app_db
from ingestion.app_db_pass import TablePull
from ingestion.app_db_source import AppDbSource
from ingestion.landing import Landing, open_landing
from ingestion.source_tables import SourceTable
from storage import Workspace

ACCOUNT = SourceTable(
    name="account",
    columns=("account_id", "created_at", "updated_at", "full_name", "email", "birth_date", "latitude", "is_provider"),
    key=("account_id",),
    updated_at="updated_at",
    appended_at=None,
)
PROFILE = SourceTable(
    name="provider_profile",
    columns=("account_id", "display_name", "skills", "updated_at"),
    key=("account_id",),
    updated_at="updated_at",
    appended_at=None,
)
CATEGORY = SourceTable(
    name="service_category",
    columns=("category_id", "slug", "name_nb", "name_en"),
    key=("category_id",),
    updated_at=None,
    appended_at=None,
)
REQUEST = SourceTable(
    name="privacy_request",
    columns=("privacy_request_id", "account_id", "kind", "updated_at"),
    key=("privacy_request_id",),
    updated_at="updated_at",
    appended_at=None,
)
OFFER = SourceTable(
    name="service_offer",
    columns=("offer_id", "provider_id", "category_id", "title", "price_nok", "active", "updated_at"),
    key=("offer_id",),
    updated_at="updated_at",
    appended_at=None,
)
LOGIN = SourceTable(
    name="login",
    columns=("login_id", "account_id", "at", "success", "ip", "country"),
    key=("login_id",),
    updated_at=None,
    appended_at="at",
)
SURVEY = SourceTable(
    name="survey_response",
    columns=("response_id", "account_id", "survey", "answers", "submitted_at"),
    key=("response_id",),
    updated_at=None,
    appended_at="submitted_at",
)
TABLES = (ACCOUNT, PROFILE, CATEGORY, OFFER, LOGIN, SURVEY, REQUEST)

FILL: tuple[LiteralString, ...] = (
    "insert into app.service_category values (1, 'cleaning', 'Renhold', 'Cleaning'), (2, 'moving', 'Flytting', 'Moving')",
    """insert into app.account (account_id, created_at, updated_at, full_name, email, birth_date, latitude, is_provider)
       select md5(i::text)::uuid, '2026-01-01', timestamptz '2026-10-01' + i * interval '1 hour', 'Person ' || i,
              i || '@example.no', date '1980-01-01' + i, 59.9 + i / 1000.0, i % 3 = 0
       from generate_series(1, 300) as i""",
    """insert into app.provider_profile (account_id, display_name, skills, updated_at)
       select account_id, full_name, case when latitude < 60 then '{}' else array['vask', 'hage "stor"', null] end,
              updated_at from app.account where is_provider""",
    """insert into app.service_offer (offer_id, provider_id, category_id, title, price_nok, price_unit, created_at, updated_at)
       select row_number() over (), account_id, 1, 'Vask', 100.50 + extract(hour from updated_at), 'hour', created_at,
              updated_at from app.account where is_provider""",
    """insert into app.login (login_id, account_id, at, success, ip, country)
       select i, md5((i % 300 + 1)::text)::uuid, timestamptz '2026-10-01' + i * interval '1 minute', true,
              case when i % 2 = 0 then inet '10.0.0.1' + i else '2001:db8::1'::inet end, 'NO'
       from generate_series(1, 500) as i""",
    """insert into app.survey_response
       select i, md5(i::text)::uuid, 'nps', jsonb_build_object('nps', i % 11, 'comment', 'Grei "nok"'),
              timestamptz '2026-10-01' + i * interval '1 day' from generate_series(1, 40) as i""",
)


class Mirror:
    """What a purpose holds after it applied every landed batch, in order, to nothing; kept in a file if one is given."""

    def __init__(self, workspace: Workspace, file: Path | None = None) -> None:
        self._workspace = workspace
        self._resources = ExitStack()
        self._con = self._resources.enter_context(workspace.connect())
        if file is not None:
            self._con.execute(f"attach '{file}' as mirror")
            self._con.execute("use mirror")
        self.landed: list[tuple[str, str, int]] = []

    def apply_pending(self, landing: Landing) -> None:
        tables = {table.name: table for table in TABLES}
        for batch in landing.pending("mirror"):
            self._apply(tables[batch.table], batch.kind, landing.relation_sql(self._con, batch))
            landing.mark_taken("mirror", [batch.batch_id])
            self.landed.append((batch.table, batch.kind, batch.row_count))
        landing.remove_taken_by_all(["mirror"])

    def _apply(self, table: SourceTable, kind: str, rows: str) -> None:
        key = ", ".join(table.key)
        self._con.execute(f"create or replace temp table taken as from {rows}")
        if not self._knows(table):
            if kind != "rows":
                return
            self._con.execute(f"create table {table.name} as from taken limit 0")
        if kind == "keys":
            self._con.execute(f"delete from {table.name} where ({key}) not in (select ({key}) from taken)")
        elif kind == "deleted":
            self._con.execute(f"delete from {table.name} where ({key}) in (select ({key}) from taken)")
        else:
            self._con.execute(f"delete from {table.name} where ({key}) in (select ({key}) from taken)")
            self._con.execute(f"insert into {table.name} by name from taken")

    def _knows(self, table: SourceTable) -> bool:
        found = self._con.execute("select 1 from duckdb_tables() where table_name = ?", [table.name])
        return found.fetchone() is not None

    def rows(self, table: SourceTable) -> list[tuple[Any, ...]]:
        """As text, so that it can be compared with what PostgreSQL prints."""
        columns = ", ".join(f"{_as_text(column)}" for column in table.columns)
        if not self._knows(table):
            return []
        return self._con.sql(f"select {columns} from {table.name} order by all").fetchall()

    def types(self, table: SourceTable) -> dict[str, str]:
        return {row[0]: row[1] for row in self._con.sql(f"describe {table.name}").fetchall()}

    def close(self) -> None:
        self._con.close()


def _as_text(column: str) -> str:
    if column.endswith("_at") or column == "at":
        return f'epoch_us("{column}")::varchar'
    if column == "skills":
        return "to_json(skills)::varchar"
    if column == "latitude":
        return "latitude::decimal(8, 4)::varchar"
    return f"{column}::varchar"


def source_rows(dsn: str, table: SourceTable) -> list[tuple[Any, ...]]:
    """The table as it is in PostgreSQL, in the same text as `Mirror.rows`."""
    values = ", ".join(_server_text(column) for column in table.columns)
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(f"select {values} from app.{table.name}".encode()).fetchall()
    return sorted(rows, key=str)


def _server_text(column: str) -> str:
    if column.endswith("_at") or column == "at":
        return f"(extract(epoch from {column}) * 1000000)::bigint::text"
    if column == "skills":
        return "array_to_json(skills)::text"
    if column == "ip":
        return "host(ip)"
    if column == "latitude":
        return "latitude::numeric(8, 4)::text"
    return f"{column}::text"


def execute(dsn: str, *statements: LiteralString) -> None:
    with psycopg.connect(dsn) as connection:
        for statement in statements:
            connection.execute(statement)


class EndingSessions(tuple[SourceTable, ...]):
    """The tables; so many times that they are gone through, Leii's sessions are ended by the server on the way."""

    times: int
    admin_dsn: str

    def __new__(cls, tables: Sequence[SourceTable], *, admin_dsn: str, times: int) -> "EndingSessions":
        made = super().__new__(cls, tables)
        made.admin_dsn, made.times = admin_dsn, times
        return made

    def __iter__(self) -> Iterator[SourceTable]:
        for number, table in enumerate(super().__iter__()):
            if number == 3 and self.times:
                self.times -= 1
                execute(
                    self.admin_dsn,
                    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'leii'",
                )
            yield table


def pull_and_apply(
    workspace: Workspace,
    source: AppDbSource | str,
    mirror: Mirror,
    tables: Sequence[SourceTable] = TABLES,
    **options: Any,
) -> dict[str, TablePull]:
    """One pass and its batches taken; `source` may be a DSN."""
    source = AppDbSource(dsn=source) if isinstance(source, str) else source
    with open_landing(workspace) as landing:
        pull = pull_app_db(workspace, landing, source, tables=tables, **options)
        mirror.apply_pending(landing)
    return {one.table: one for one in pull.tables}


def assert_equal(mirror: Mirror, dsn: str, tables: Sequence[SourceTable] = TABLES) -> None:
    for table in tables:
        assert sorted(mirror.rows(table), key=str) == source_rows(dsn, table), table.name


def change_at_random(connection: psycopg.Connection[Any], dice: random.Random, minute: int) -> None:
    """Some rows inserted, updated and deleted outright, at a minute after 15 November 2026."""
    moment = f"timestamptz '2026-11-15' + interval '{minute} minutes'"
    for _ in range(dice.randint(1, 8)):
        number = dice.randint(1, 400)
        statement = dice.choice(
            [
                f"""insert into app.account (account_id, created_at, updated_at, full_name, email)
                    values (md5('{number}')::uuid, {moment}, {moment}, 'New {minute}', 'n@example.no')
                    on conflict (account_id) do update set full_name = 'Changed {minute}', updated_at = {moment}""",
                f"delete from app.service_offer where offer_id = {number % 100}",
                f"update app.service_offer set price_nok = {number}.25, updated_at = {moment} where offer_id = {number % 100}",
                f"""insert into app.login select max(login_id) + {dice.randint(1, 3)}, null, {moment}, false, '10.1.2.3', null
                    from app.login""",
                f"delete from app.login where login_id = {number}",
                f"delete from app.survey_response where response_id = {number % 40}",
                f"insert into app.service_category values ({number}, 'c{number}', 'k', 'c') on conflict do nothing",
                f"update app.service_category set name_en = 'Renamed {minute}' where category_id = 1",
                f"delete from app.service_category where category_id = {number} and category_id > 2",
            ]
        )
        connection.execute(statement.encode())
