"""What lies about the person in landing, quarantine, the held zone, the vault, unsent notices and registers' answers."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import duckdb

from ingestion.landing import Batch, open_landing
from ingestion.quarantine import KEPT_FOR, Quarantine
from pseudonymisation.access.document import HeldTable, QuarantinedItem, RecipientSection, Row, Value, VaultSection
from pseudonymisation.access.own_data import flat, own_fields
from pseudonymisation.access.person import Person
from pseudonymisation.access.purpose_rows import own_names, own_outputs
from pseudonymisation.erasure.predicate import erased_in
from pseudonymisation.loading import takers
from pseudonymisation.notices.store import open_notices
from pseudonymisation.policy.model import Policy, Table
from pseudonymisation.raw_rows import json_path
from storage import Workspace

_JSON = {"stripe": "object", "events": "payload"}


def landed_rows(
    con: duckdb.DuckDBPyConnection, workspace: Workspace, policy: Policy, person: Person
) -> dict[str, list[Row]]:
    """Raw rows that wait in landing and name the person, by source and table. The session has temp table `own_alias`."""
    found: defaultdict[str, list[Row]] = defaultdict(list)
    with open_landing(workspace) as landing:
        batches = {batch.batch_id: batch for taker in takers(policy) for batch in landing.pending(taker)}
        for batch in batches.values():
            table = policy.tables.get((batch.source, batch.table))
            if table is None or not table.subjects:
                continue
            rows = _landed(con, table, batch, landing.relation_sql(con, batch))
            found[f"{table.source}.{table.name}"] += [Row(fields=own_fields(table, row, person)) for row in rows]
    return {name: rows for name, rows in found.items() if rows}


def _landed(con: duckdb.DuckDBPyConnection, table: Table, batch: Batch, relation: str) -> list[dict[str, Any]]:
    """The rows of one batch that name the person, as values by path; of a batch of keys, what the keys say."""
    whose = _values(table, batch)
    if not whose:
        return []
    named = " OR ".join(
        f"alias_hash('{table.columns[path].identifier}', CAST({value} AS VARCHAR)) IN (SELECT alias_hash FROM own_alias)"
        for path, value in whose.items()
    )
    result = con.execute(f"SELECT * FROM {relation} WHERE {named}")
    names = [one[0] for one in result.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    if table.source == "app_db" or batch.kind != "rows":
        return rows
    return [{**flat(json.loads(row[_JSON[table.source]])), **_beside(table, row)} for row in rows]


def _values(table: Table, batch: Batch) -> dict[str, str]:
    """SQL of the values that name people, by path."""
    if batch.kind != "rows":
        return {path: f'"{path}"' for path in table.subjects if path in table.key}
    if table.source == "app_db":
        return {path: f'"{path}"' for path in table.subjects}
    return {
        path: path
        if table.columns[path].beside_object
        else f"json_extract_string({_JSON[table.source]}, '{json_path(path)}')"
        for path in table.subjects
    }


def _beside(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    return {path: row[path] for path, column in table.columns.items() if column.beside_object and path in row}


def quarantined(workspace: Workspace, identifiers: Sequence[str]) -> list[QuarantinedItem]:
    """What could not be read and holds one of the person's identifiers as text."""
    rows = Quarantine(workspace).naming(identifiers).to_pylist()
    return [
        QuarantinedItem(
            source=row["source"],
            reason=row["reason"],
            bytes=len(row["content"]),
            quarantined_at=row["quarantined_at"],
            deleted_on=(row["quarantined_at"] + KEPT_FOR).date(),
        )
        for row in rows
    ]


def held_rows(con: duckdb.DuckDBPyConnection, policy: Policy, purpose: str) -> list[HeldTable]:
    """Rows that the law keeps of somebody who was erased, and that name the person too. The zone is attached as `held`."""
    rows = con.execute(
        "SELECT table_name, statute, held_until, content FROM held.row "
        f"WHERE purpose = ? AND {erased_in('content', 'VARCHAR')} ORDER BY table_name, held_until",
        [purpose],
    ).fetchall()
    tables = {table.stored_name: table for table in policy.tables_of(purpose)}
    own = own_names(con)
    found: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for name, statute, held_until, content in rows:
        fields = own_outputs(tables[name], purpose, json.loads(content), own) if name in tables else {}
        found[(name, statute)].append(Row(fields=fields, on_erasure="held", held_until=held_until))
    return [
        HeldTable(purpose=purpose, table=name, statute=statute, rows=kept) for (name, statute), kept in found.items()
    ]


def vault_section(con: duckdb.DuckDBPyConnection) -> VaultSection:
    """What the vault has of the person, in counts. The vault is attached; temp table `own_alias` is there."""
    own = "SELECT alias_hash FROM own_alias"
    kinds = con.execute(f"SELECT kind, count(*) FROM vault.alias WHERE alias_hash IN ({own}) GROUP BY 1 ORDER BY 1")
    aliases = dict(kinds.fetchall())
    counts = con.execute(
        f"""
        SELECT
            (SELECT count(*) FROM vault.subject WHERE subject_id IN (SELECT subject_id FROM own_alias)),
            (SELECT count(*) FROM vault.cookie_link WHERE account_hash IN ({own})),
            (SELECT count(*) FROM vault.tombstone WHERE alias_hash IN ({own}))
        """
    ).fetchone()
    assert counts is not None
    certificates = con.execute(
        f"SELECT DISTINCT certificate_id FROM vault.tombstone WHERE alias_hash IN ({own}) AND certificate_id IS NOT NULL"
    ).fetchall()
    return VaultSection(
        has_secret=counts[0] > 0,
        aliases=aliases,
        cookie_links=counts[1],
        tombstones=counts[2],
        erasure_certificates=[row[0] for row in certificates],
    )


def recipient_sections(con: duckdb.DuckDBPyConnection, workspace: Workspace, policy: Policy) -> list[RecipientSection]:
    """Who outside Leii has been given data about the person, and what each has yet to be told. The session is as above."""
    own = "SELECT subject_id FROM own_alias WHERE subject_id IS NOT NULL"
    known = f"SELECT recipient, min(since) FROM vault.disclosure WHERE subject_id IN ({own}) GROUP BY recipient"
    since: dict[str, date | None] = dict(con.execute(known).fetchall())
    unsent = _unsent_notices(con, workspace)
    sections = []
    for name in sorted({*since, *unsent}):
        recipient = policy.recipients.get(name)
        sections.append(
            RecipientSection(
                name=name,
                title=recipient.title if recipient else name,
                what_for=recipient.what_for if recipient else "",
                basis_article=recipient.basis_article if recipient else "",
                basis_reason=recipient.basis_reason if recipient else "",
                gets=list(recipient.gets) if recipient else [],
                since=since.get(name),
                unsent=unsent.get(name, []),
            )
        )
    return sections


_UNSENT = """
SELECT notice.recipient, notice.event, notice.made_at, notice.notice_id, content.part, content.word, content.value
FROM notices.notice AS notice LEFT JOIN notices.content AS content USING (notice_id)
WHERE notice.state = 'waiting' AND (
    notice.subject_id IN (SELECT subject_id FROM own_alias WHERE subject_id IS NOT NULL)
    OR notice.case_id IN (
        SELECT case_id FROM vault.erasing_alias WHERE alias_hash IN (SELECT alias_hash FROM own_alias)
        UNION ALL
        SELECT erasure.case_id FROM vault.erasure AS erasure JOIN vault.tombstone AS tombstone USING (certificate_id)
        WHERE tombstone.alias_hash IN (SELECT alias_hash FROM own_alias)
    )
)
ORDER BY ALL
"""


def _unsent_notices(con: duckdb.DuckDBPyConnection, workspace: Workspace) -> dict[str, list[Row]]:
    """By recipient, a row for each notice about the person that waits."""
    if not workspace.home.notices_file.exists():
        return {}
    with open_notices(con, workspace, read_only=True):
        found = con.execute(_UNSENT).fetchall()
    fields: dict[tuple[str, str], dict[str, Value]] = {}
    for recipient, event, made_at, notice_id, part, word, value in found:
        about: dict[str, Value] = {"event": event, "made_at": made_at.isoformat()}
        notice = fields.setdefault((recipient, str(notice_id)), about)
        if value is not None:
            notice[f"{part}.{word}"] = value
    unsent: dict[str, list[Row]] = {}
    for (recipient, _), notice in fields.items():
        unsent.setdefault(recipient, []).append(Row(fields=notice))
    return unsent


def registry_answers(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """What Enhetsregisteret answered about the person's organisation number. The session is prepared, as above."""
    result = con.execute(
        "SELECT outcome, is_deregistered, is_bankrupt, is_winding_up, name_agrees, asked_at FROM organisation_answer "
        "WHERE account_hash IN (SELECT alias_hash FROM own_alias)"
    )
    names = [one[0] for one in result.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    return [
        Row(
            fields={name: value for name, value in row.items() if value is not None and name != "asked_at"}
            | {"asked_at": row["asked_at"].isoformat()}
        )
        for row in rows
    ]


def ledger_decisions(con: duckdb.DuckDBPyConnection) -> dict[int, str]:
    """What the ledger of erasures has decided on the person's requests, by request."""
    rows = con.execute(
        "SELECT privacy_request_id, decision FROM vault.request "
        "WHERE alias_hash IN (SELECT alias_hash FROM own_alias) AND privacy_request_id IS NOT NULL"
    ).fetchall()
    return dict(rows)
