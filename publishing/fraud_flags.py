"""Fraud flags back to the app: what the fraud desk's rules find now, for a person to decide on.

The app gets its own account ids, which the vault maps from pseudonyms; nothing else of the warehouse goes along. The
whole table is brought in line in one transaction, so that the app never sees half of a run.
"""

import io
from dataclasses import dataclass

import psycopg
import psycopg.sql
import pyarrow as pa
import pyarrow.csv as pa_csv

from pseudonymisation.identify import accounts_by_pseudonym
from storage import LeiiError, Workspace, attached

PURPOSE = "fraud"

_FLAGS = """
SELECT
    CASE WHEN flag.flag_id = mapped.flag_id THEN mapped.app_flag_id ELSE flag.flag_id END AS flag_id,
    mapped.account_id, CAST(flag.reasons AS VARCHAR) AS reasons, CAST(flag.score AS DOUBLE) AS score,
    flag.recommended_action, CAST(flag.rule_version AS VARCHAR) AS rule_version,
    strftime(flag.issued_at, '%Y-%m-%d %H:%M:%S.%f+00') AS issued_at,
    strftime(flag.expires_at, '%Y-%m-%d %H:%M:%S.%f+00') AS expires_at
FROM warehouse.marts.fct_flag AS flag
JOIN mapped_account AS mapped ON mapped.pseudonym = CAST(flag.account_id AS VARCHAR)
WHERE flag.status IN ('active', 'contested')
"""

_STAGE = """
create temp table staged_flag (
    flag_id text primary key, account_id uuid, reasons jsonb, score double precision, recommended_action text,
    rule_version text, issued_at timestamptz, expires_at timestamptz, status text
) on commit drop;
create temp table living_account (account_id uuid primary key) on commit drop;
"""

_DATE = "update staged_flag set status = case when expires_at <= %(now)s then 'expired' else 'active' end"

_COUNT = """
select
    count(*) filter (where staged.status = 'active' and there.status is distinct from 'active'),
    count(*) filter (where staged.status = 'active' and there.status = 'active'),
    count(*) filter (where staged.status = 'expired' and there.status = 'active')
from staged_flag as staged left join app.fraud_flag as there using (flag_id)
where there.flag_id is null or (there.account_id, there.reasons, there.score, there.recommended_action,
    there.rule_version, there.expires_at, there.status) is distinct from (staged.account_id, staged.reasons,
    staged.score, staged.recommended_action, staged.rule_version, staged.expires_at, staged.status)
"""

# A finding that had already passed when it was first computed is nothing to show anybody.
_UPSERT = """
insert into app.fraud_flag as there
    (flag_id, account_id, reasons, score, recommended_action, rule_version, first_seen_at, updated_at, expires_at,
    status)
select flag_id, account_id, reasons, score, recommended_action, rule_version, %(now)s, %(now)s, expires_at, status
from staged_flag as staged
where status = 'active' or exists (select from app.fraud_flag as known where known.flag_id = staged.flag_id)
on conflict (flag_id) do update set
    account_id = excluded.account_id, reasons = excluded.reasons, score = excluded.score,
    recommended_action = excluded.recommended_action, rule_version = excluded.rule_version,
    updated_at = excluded.updated_at, expires_at = excluded.expires_at, status = excluded.status
where (there.account_id, there.reasons, there.score, there.recommended_action, there.rule_version, there.expires_at,
    there.status) is distinct from (excluded.account_id, excluded.reasons, excluded.score, excluded.recommended_action,
    excluded.rule_version, excluded.expires_at, excluded.status)
"""

_EXPIRE = """
update app.fraud_flag set status = 'expired', updated_at = %(now)s
where status = 'active' and expires_at <= %(now)s and flag_id not in (select flag_id from staged_flag)
"""

_WITHDRAW = """
update app.fraud_flag set status = 'withdrawn', updated_at = %(now)s
where status = 'active' and flag_id not in (select flag_id from staged_flag)
"""

_REMOVE = "delete from app.fraud_flag where account_id not in (select account_id from living_account)"


@dataclass(frozen=True, kw_only=True)
class FlagsWritten:
    """What one writing changed. `removed`: flags about people who are erased or gone."""

    raised: int = 0
    updated: int = 0
    withdrawn: int = 0
    expired: int = 0
    removed: int = 0


def write_fraud_flags(workspace: Workspace, *, dsn: str, account_ids: pa.Table | None = None) -> FlagsWritten:
    """Bring app.fraud_flag in line with the standing flags of marts.fct_flag in the fraud warehouse, in one transaction.

    `account_ids`: the app's accounts, a column `account_id` of text; read from the app when it is not given. Keeps
    first_seen_at, moves updated_at only where something changed. Raises LeiiError when no account can be mapped, as
    then every flag would be taken for one about somebody erased.
    """
    if account_ids is None:
        account_ids = read_account_ids(dsn)
    mapped = accounts_by_pseudonym(workspace, PURPOSE, account_ids)
    if account_ids.num_rows and not mapped.num_rows:
        raise LeiiError("the vault knows none of the app's accounts: no flag is touched; is LEII_HOME this app's?")
    flags = _current_flags(workspace, mapped)
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(_STAGE)
        _copy(cursor, "staged_flag", flags)
        _copy(cursor, "living_account", mapped.select(["account_id"]))
        now = {"now": workspace.now}
        cursor.execute(_DATE, now)
        raised, updated, expired = cursor.execute(_COUNT).fetchone() or (0, 0, 0)
        cursor.execute(_UPSERT, now)
        removed = cursor.execute(_REMOVE).rowcount
        expired += cursor.execute(_EXPIRE, now).rowcount
        withdrawn = cursor.execute(_WITHDRAW, now).rowcount
    return FlagsWritten(raised=raised, updated=updated, withdrawn=withdrawn, expired=expired, removed=removed)


def read_account_ids(dsn: str) -> pa.Table:
    """The ids of the app's accounts as they are now: one column, `account_id`, text."""
    buffer = io.BytesIO()
    query = "copy (select account_id from app.account) to stdout"
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor, cursor.copy(query) as copy:
        for part in copy:
            buffer.write(part)
    buffer.seek(0)
    if not buffer.getbuffer().nbytes:
        return pa.table({"account_id": pa.array([], pa.string())})
    options = pa_csv.ConvertOptions(column_types={"account_id": pa.string()})
    return pa_csv.read_csv(buffer, pa_csv.ReadOptions(column_names=["account_id"]), convert_options=options)


def _current_flags(workspace: Workspace, mapped: pa.Table) -> pa.Table:
    key = workspace.keyring.purpose_key(PURPOSE, "warehouse")
    with workspace.connect() as con:
        con.register("mapped_account", mapped)
        with attached(con, workspace.home.warehouse_file(PURPOSE), "warehouse", key, read_only=True):
            return con.execute(_FLAGS).to_arrow_table()


def _copy(cursor: psycopg.Cursor[tuple[object, ...]], table: str, rows: pa.Table) -> None:
    """COPY an Arrow table; an unquoted nothing is a null, in Arrow's CSV as in PostgreSQL's."""
    content = io.BytesIO()
    pa_csv.write_csv(rows, content, pa_csv.WriteOptions(include_header=False))
    columns = psycopg.sql.SQL(", ").join(psycopg.sql.Identifier(name) for name in rows.column_names)
    statement = psycopg.sql.SQL("copy {} ({}) from stdin (format csv)").format(psycopg.sql.Identifier(table), columns)
    with cursor.copy(statement) as copy:
        copy.write(content.getvalue())
