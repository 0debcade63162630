"""The app database's rows about one account, in the shape in which ingestion lands them."""

from collections.abc import Callable
from dataclasses import dataclass, field

import duckdb
import psycopg
import pyarrow as pa

from ingestion.app_db_queries import open_snapshot
from ingestion.app_db_tables import Column as CatalogueColumn
from ingestion.app_db_tables import landing_expression, quoted, read_catalogue, select_query
from ingestion.source_tables import SourceTable
from pseudonymisation.access.document import FlagReason, FraudFlag, PrivacyRequest
from pseudonymisation.access.person import Person
from pseudonymisation.policy.model import Policy, Table
from storage import LeiiError

_OWN_TABLES = ("fraud_flag", "privacy_receipt")
"""Written by Leii's own pipeline, and read by `read_flags` and `read_privacy_requests`."""


@dataclass(frozen=True, kw_only=True)
class AppRows:
    """Rows by table, as Arrow; `unread`: why a table, or a column of it, is not there."""

    tables: dict[str, pa.Table] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


def read_app_rows(con: duckdb.DuckDBPyConnection, policy: Policy, dsn: str, person: Person) -> AppRows:
    """Every row of one moment that names the person in a column by which the policy says whose it is."""
    rows = AppRows()
    with open_snapshot(dsn) as snapshot:
        catalogue = read_catalogue(snapshot)
        for name in sorted(set(catalogue) - {table.name for table in policy.tables_from("app_db")} - set(_OWN_TABLES)):
            rows.unread[name] = "the policy does not know this table"
        for table in policy.tables_from("app_db"):
            if not table.subjects:
                continue
            there = catalogue.get(table.name, {})
            columns = [there[path] for path in table.columns if path in there and there[path].is_readable]
            strange = [path for path in there if path not in table.columns]
            if strange or len(columns) < len(table.columns):
                rows.unread[table.name] = "columns that the policy does not know, or that are not there, were left out"
            if not set(table.subjects) <= {column.name for column in columns}:
                rows.unread[table.name] = "the columns that say whose a row is are not there"
                continue
            source = SourceTable(
                name=table.name,
                columns=tuple(c.name for c in columns),
                key=table.key,
                updated_at=None,
                appended_at=None,
            )
            found = snapshot.table(select_query(source, columns, _names(table, there, person)))
            rows.tables[table.name] = _as_landed(con, found, columns)
    return rows


def read_flags(dsn: str, account_id: str, english: Callable[[str], str | None]) -> list[FraudFlag]:
    """The flags that the app has about the person. `english` gives a rule's text by its code."""
    query = (
        "select flag_id, status, recommended_action, score, first_seen_at, expires_at, reasons from app.fraud_flag "
        "where account_id = %s::uuid order by first_seen_at, flag_id"
    )
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(query, [account_id]).fetchall()
    return [
        FraudFlag(
            flag_id=row[0],
            status=row[1],
            recommended_action=row[2],
            score=row[3],
            first_seen_at=row[4],
            expires_at=row[5],
            reasons=[
                FlagReason(
                    code=reason["code"],
                    text_nb=reason["text"],
                    text_en=english(reason["code"]) or reason["text"],
                    value=reason.get("value"),
                    threshold=reason.get("threshold"),
                )
                for reason in row[6]
            ],
        )
        for row in rows
    ]


def read_privacy_requests(dsn: str, account_id: str, decisions: dict[int, str]) -> list[PrivacyRequest]:
    """The person's requests with the receipts that the app shows. `decisions`: the ledger's, by request."""
    query = """
        select privacy_request_id, kind, requested_at, identity_verified_at, withdrawn_at, state, explanation, certificate_id
        from app.privacy_request left join app.privacy_receipt using (privacy_request_id)
        where account_id = %s::uuid order by requested_at, privacy_request_id
    """
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(query, [account_id]).fetchall()
    return [
        PrivacyRequest(
            privacy_request_id=row[0],
            kind=row[1],
            requested_at=row[2],
            identity_verified_at=row[3],
            withdrawn_at=row[4],
            decision=decisions.get(row[0]),
            receipt_state=row[5],
            receipt_explanation=row[6],
            certificate_id=row[7],
        )
        for row in rows
    ]


def _names(table: Table, there: dict[str, CatalogueColumn], person: Person) -> str:
    conditions = []
    for path in table.subjects:
        values = sorted(person.known.get(table.columns[path].identifier or "", ()))
        if values:
            is_uuid = there[path].type_name == "uuid"
            listed = ", ".join(_literal(value) + ("::uuid" if is_uuid else "") for value in values)
            conditions.append(f"{quoted(path)} IN ({listed})")
    return " OR ".join(conditions) or "false"


def _literal(value: str) -> str:
    if "\0" in value:
        raise LeiiError("an identifier in the app database holds a character that no text may hold")
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


def _as_landed(con: duckdb.DuckDBPyConnection, found: pa.Table, columns: list[CatalogueColumn]) -> pa.Table:
    con.register("found_row", found)
    landed = con.execute(f"SELECT {', '.join(landing_expression(c) for c in columns)} FROM found_row").to_arrow_table()
    con.unregister("found_row")
    return landed
