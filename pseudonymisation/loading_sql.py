"""The SQL that turns a landed batch into rows of one purpose. Pure: text in, text out."""

from dataclasses import dataclass

from pseudonymisation.policy.model import FLAG_KIND, SUBJECT_KINDS, Column, Table, Treatment
from pseudonymisation.raw_rows import raw_relation, raw_value, used_paths
from pseudonymisation.row_rules import RowRule, cleared_by, row_goes, row_rule
from pseudonymisation.stripe_tombstones import without_tombstoned
from pseudonymisation.treatments import Output, treat
from pseudonymisation.visits import EVENT, owners_sql

BOOKKEEPING = (("_row_key", "UUID"), ("_batch_id", "BIGINT"))
"""Columns that every table of a purpose ends with: the row's own key, and the batch that last changed the row."""

VISIT = "visit"
"""The kind of a cookie's day in `subject_map`, beside the kinds of identifiers."""

_OWN_FLAG_ID = """coalesce(
    (SELECT any_value(fraud_flag_id(purpose_hmac(known.secret)))
     FROM vault.subject AS known WHERE app_flag_id(known.secret) = {app_flag_id}),
    {app_flag_id})"""
"""What the purpose calls the flag that the app names; they differ once the purpose's key has been rotated."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One subject column of a table within the statement: `mapped` is its alias in the FROM clause."""

    path: str
    kind: str
    output: str
    mapped: str


def outputs_of(table: Table, column: Column, treatment: Treatment) -> list[Output]:
    """The columns that one source column becomes; a subject becomes its pseudonym of the vault."""
    if treatment.name == "pseudonym" and column.identifier in SUBJECT_KINDS:
        return [Output(name=treatment.output, type="UUID", sql="")]
    return treat(column, treatment, raw_value(table, column.path))


def stored_columns(table: Table, purpose: str) -> list[tuple[str, str]]:
    """Name and DuckDB type of every column of the purpose's table, in order."""
    outputs = [
        output for column, treatment in table.outputs(purpose) for output in outputs_of(table, column, treatment)
    ]
    return [(output.name, output.type) for output in outputs] + list(BOOKKEEPING)


def create_table_sql(table: Table, purpose: str) -> str:
    columns = ", ".join(f'"{name}" {type_}' for name, type_ in stored_columns(table, purpose))
    return f"CREATE TABLE IF NOT EXISTS purpose.src.{table.stored_name} ({columns})"


def rule_of(table: Table, purpose: str) -> RowRule:
    """The table's erasure rule in the purpose's own column names."""

    def names(path: str) -> tuple[str, ...]:
        column = table.columns[path]
        return tuple(output.name for output in outputs_of(table, column, column.treatments[purpose]))

    return row_rule(table, purpose, names)


def subjects_of(table: Table, purpose: str) -> list[Subject]:
    """The people that a row names and the purpose is told of."""
    outputs = table.subject_outputs(purpose)
    return [
        Subject(path=path, kind=str(table.columns[path].identifier), output=outputs[path], mapped=f"subject_{position}")
        for position, path in enumerate(outputs)
    ]


def row_key_sql(table: Table) -> str:
    """The row's own key under the purpose's key, whatever its primary key is made of."""
    parts = ", ".join(f"CAST({raw_value(table, path)} AS VARCHAR)" for path in table.key)
    return f"keyed('row', concat_ws(chr(31), '{table.stored_name}', {parts}))"


def subject_map_sql(table: Table, purpose: str, relation: str) -> str:
    """Every distinct person of a batch once: (kind, value, pseudonym or null, is_erased)."""
    subjects = subjects_of(table, purpose)
    raw = raw_relation(table, relation, [subject.path for subject in subjects])
    values = " UNION ".join(
        f"SELECT DISTINCT '{subject.kind}' AS kind, CAST({raw_value(table, subject.path)} AS VARCHAR) AS value FROM raw"
        for subject in subjects
    )
    visits = ""
    if (table.source, table.name) == EVENT:
        raw = raw_relation(table, relation, [*(subject.path for subject in subjects), "receivedAt"])
        visits = f"UNION ALL SELECT '{VISIT}', value, account_hash FROM ({_visit_owners_sql(table)})"
    return f"""
        CREATE OR REPLACE TEMP TABLE subject_map AS
        WITH raw AS ({raw}),
        named AS (
            SELECT kind, value, alias_hash(kind, value) AS alias_hash FROM ({values}) WHERE value IS NOT NULL {visits}
        )
        SELECT
            named.kind, named.value,
            tombstone.alias_hash IS NOT NULL AS is_erased,
            CASE WHEN tombstone.alias_hash IS NULL THEN purpose_hmac(subject.secret) END AS pseudonym
        FROM named
        LEFT JOIN vault.alias AS alias ON alias.alias_hash = named.alias_hash
        LEFT JOIN vault.subject AS subject ON subject.subject_id = alias.subject_id
        LEFT JOIN (SELECT DISTINCT alias_hash FROM vault.tombstone) AS tombstone ON tombstone.alias_hash = named.alias_hash
    """


def treated_rows_sql(
    table: Table, purpose: str, relation: str, batch_id: int, *, minds_tombstones: bool = False
) -> str:
    """The batch's rows as the purpose gets them, with `_refusal`: null, 'erased' or 'unmapped'.

    `minds_tombstones`: also without what Stripe has deleted or redacted before.
    """
    subjects = subjects_of(table, purpose)
    rule = rule_of(table, purpose)
    by_output = {subject.output: subject.mapped for subject in subjects}
    raw = raw_relation(table, relation, used_paths(table, purpose))
    if minds_tombstones:
        raw = f"SELECT * FROM ({without_tombstoned(table, purpose, raw)})"
    joins = "".join(f"\nLEFT JOIN subject_map AS {s.mapped} ON {_is_named(table, s)}" for s in subjects)
    goes = row_goes(
        rule,
        erased=lambda output: f"coalesce({by_output[output]}.is_erased, FALSE)",
        named=lambda output: f"{by_output[output]}.pseudonym IS NOT NULL",
    )
    unmapped = (
        " OR ".join(
            f"({raw_value(table, s.path)} IS NOT NULL AND NOT {s.mapped}.is_erased AND {s.mapped}.pseudonym IS NULL)"
            for s in subjects
            if s.kind != FLAG_KIND
        )
        or "FALSE"
    )
    columns = ",\n    ".join(_output_columns(table, purpose, rule, by_output))
    return f"""
WITH raw AS ({raw}{_row_filter(table, purpose)})
SELECT
    {columns},
    {row_key_sql(table)} AS _row_key,
    CAST({batch_id} AS BIGINT) AS _batch_id,
    CASE WHEN {goes} THEN 'erased' WHEN {unmapped} THEN 'unmapped' END AS _refusal
FROM raw{joins}
"""


def _is_named(table: Table, subject: Subject) -> str:
    """The condition that joins a row with the person whom one of its columns names; an event without an account, with the
    person whose visit it was."""
    kind, value = f"'{subject.kind}'", f"CAST({raw_value(table, subject.path)} AS VARCHAR)"
    if (table.source, table.name) == EVENT and subject.path == "userId":
        kind = f"CASE WHEN {value} IS NULL THEN '{VISIT}' ELSE {kind} END"
        value = f"coalesce({value}, {_visit(table)})"
    return f"{subject.mapped}.kind = {kind} AND {subject.mapped}.value = {value}"


def _visit(table: Table) -> str:
    """A cookie's day, as a text."""
    cookie, received_at = raw_value(table, "anonymousId"), raw_value(table, "receivedAt")
    return f"({cookie} || chr(31) || CAST({received_at} AS DATE))"


def _visit_owners_sql(table: Table) -> str:
    """Whose the visits without an account in the CTE `raw` are: (value as in `_visit`, account_hash)."""
    cookie, received_at = raw_value(table, "anonymousId"), raw_value(table, "receivedAt")
    return f"""
        WITH visit AS (
            SELECT DISTINCT {_visit(table)} AS value, alias_hash('anonymous', {cookie}) AS cookie_hash,
                CAST({received_at} AS DATE) AS day
            FROM raw WHERE {raw_value(table, "userId")} IS NULL AND {cookie} IS NOT NULL
        )
        SELECT visit.value, owner.account_hash
        FROM visit JOIN ({owners_sql("visit")}) AS owner ON owner.cookie_hash = visit.cookie_hash AND owner.day = visit.day"""


def _output_columns(table: Table, purpose: str, rule: RowRule, by_output: dict[str, str]) -> list[str]:
    columns = []
    for column, treatment in table.outputs(purpose):
        is_subject = treatment.name == "pseudonym" and column.identifier in SUBJECT_KINDS
        for output in outputs_of(table, column, treatment):
            sql = f"{by_output[output.name]}.pseudonym" if is_subject else output.sql
            if column.identifier == FLAG_KIND:
                sql = _OWN_FLAG_ID.format(app_flag_id=sql)
            clearing = [by_output[subject] for subject in cleared_by(rule, output.name) if not is_subject]
            if clearing:
                erased = " OR ".join(f"coalesce({mapped}.is_erased, FALSE)" for mapped in clearing)
                sql = f"CASE WHEN NOT ({erased}) THEN {sql} END"
            columns.append(f'CAST({sql} AS {output.type}) AS "{output.name}"')
    return columns


def _row_filter(table: Table, purpose: str) -> str:
    conditions = []
    if table.source == "stripe":
        conditions.append('NOT coalesce("landed.deleted", FALSE)')
    if purpose in table.only:
        names = ", ".join(f"'{name}'" for name in table.only[purpose])
        conditions.append(f'"landed.event" IN ({names})')
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""
