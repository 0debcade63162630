"""Access (R25): read every zone and source for what is held about one person, and write it down for them.

What cannot be read is named in the export, which then is not complete; nothing is left out in silence.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import duckdb
import psycopg

from ingestion.event_store import S3Access, open_store
from ingestion.stripe_client import RefusalError, StripeApi
from pseudonymisation.access.app_rows import AppRows, read_app_rows, read_flags, read_privacy_requests
from pseudonymisation.access.document import (
    FORMAT,
    Export,
    FraudFlag,
    Gap,
    Gets,
    HeldTable,
    PurposeSection,
    QuarantinedItem,
    RecipientSection,
    Row,
    RowTable,
    SourceSection,
)
from pseudonymisation.access.event_rows import EventRows, read_event_rows
from pseudonymisation.access.exports import KEPT_FOR, WrittenExport, write_export
from pseudonymisation.access.own_data import flat, own_fields, without_others
from pseudonymisation.access.page import render_page
from pseudonymisation.access.person import Person, find_person, load_person, resolve_person
from pseudonymisation.access.purpose_rows import computed_rows, stored_rows
from pseudonymisation.access.requests import RightsRequest
from pseudonymisation.access.stripe_rows import StripeRows, read_stripe_rows
from pseudonymisation.access.zones import (
    held_rows,
    landed_rows,
    ledger_decisions,
    quarantined,
    recipient_sections,
    registry_answers,
    vault_section,
)
from pseudonymisation.erasure.held import open_held, require_held
from pseudonymisation.policy.model import FLAGS, Policy, Purpose
from pseudonymisation.vault import open_vault
from storage import LeiiError, Workspace, attached

CONTACT = "post@leii.no"
COMPLAINTS = "Datatilsynet, www.datatilsynet.no"

Read = TypeVar("Read")


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where the sources are; None: not configured."""

    dsn: str
    stripe: StripeApi | None
    events_root: str | None
    s3: S3Access | None = None


@dataclass(kw_only=True)
class Reading:
    """One person's data being gathered. `con` has the vault attached and the person resolved."""

    con: duckdb.DuckDBPyConnection
    workspace: Workspace
    policy: Policy
    sources: Sources
    person: Person
    gaps: list[Gap] = field(default_factory=list)

    def attempt(self, place: str, read: Callable[[], Read], otherwise: Read) -> Read:
        """What is read, or else a gap with its place."""
        try:
            return read()
        except (LeiiError, RefusalError) as error:
            self.gaps.append(Gap(place=place, reason=str(error)))
        except (duckdb.Error, psycopg.Error, OSError) as error:
            self.gaps.append(Gap(place=place, reason=f"it cannot be read ({type(error).__name__})"))
        return otherwise


def export_person(
    workspace: Workspace, policy: Policy, sources: Sources, request: RightsRequest
) -> tuple[WrittenExport, Export]:
    """Gather what is held about whoever asked, and write the page and the JSON file. Raises LeiiError if the vault or the
    app database cannot be read, as without them nobody knows whose is what."""
    with workspace.connect() as con, open_vault(con, workspace, read_only=True):
        alias_hash = resolve_person(con, workspace, request.account_id)
        try:
            person = find_person(con, policy, sources.dsn, request.account_id)
        except psycopg.Error as error:
            kind = type(error).__name__
            raise LeiiError(f"the app database cannot be read ({kind}): check LEII_APP_DB_DSN") from None
        reading = Reading(con=con, workspace=workspace, policy=policy, sources=sources, person=person)
        export = _gather(reading, request)
    written = write_export(
        workspace,
        alias_hash=alias_hash,
        privacy_request_id=request.privacy_request_id,
        page=render_page(export),
        data=export.model_dump_json(indent=2),
    )
    return written, export


def _gather(this: Reading, request: RightsRequest) -> Export:
    app = this.attempt("app_db", lambda: read_app_rows(this.con, this.policy, this.sources.dsn, this.person), AppRows())
    this.gaps += [Gap(place=f"app_db.{table}", reason=reason) for table, reason in app.unread.items()]
    sources = [_app_section(this, app), _stripe_section(this), _events_section(this)]
    held: list[HeldTable] = []
    this.attempt("held", lambda: require_held(this.con, this.workspace), None)
    purposes = [_purpose_section(this, purpose, held) for purpose in this.policy.purposes.values()]
    landing = this.attempt(
        "landing", lambda: landed_rows(this.con, this.workspace, this.policy, this.person), dict[str, list[Row]]()
    )
    no_flags: list[FraudFlag] = []
    english = this.attempt("warehouse/fraud: rules", lambda: _rule_texts(this), dict[str, str]())
    flags = this.attempt(
        "app_db.fraud_flag", lambda: read_flags(this.sources.dsn, request.account_id, english.get), no_flags
    )
    nothing: list[QuarantinedItem] = []
    told: list[RecipientSection] = []
    return Export(
        format=FORMAT,
        privacy_request_id=request.privacy_request_id,
        made_at=this.workspace.now,
        deletes_itself_on=(this.workspace.now + KEPT_FOR).date(),
        sources=sources,
        purposes=purposes,
        recipients=this.attempt("recipients", lambda: recipient_sections(this.con, this.workspace, this.policy), told),
        landing=_named(without_others(this.con, this.sources.dsn, this.person, landing)),
        quarantine=this.attempt(
            "quarantine", lambda: quarantined(this.workspace, _texts_that_name(this.person, app)), nothing
        ),
        held=held,
        registry_answers=registry_answers(this.con),
        vault=vault_section(this.con),
        fraud_flags=flags,
        privacy_requests=read_privacy_requests(this.sources.dsn, request.account_id, ledger_decisions(this.con)),
        controller="Leii",
        contact=CONTACT,
        complaints_to=COMPLAINTS,
        automated_decisions=False,
        is_complete=not this.gaps,
        gaps=this.gaps,
    )


def _app_section(this: Reading, app: AppRows) -> SourceSection:
    found = {}
    for name, rows in app.tables.items():
        table = this.policy.table("app_db", name)
        order = table.event_at or table.updated_at or table.key[0]
        newest = rows.sort_by([(order, "descending")]) if order in rows.column_names else rows
        found[name] = [Row(fields=own_fields(table, row, this.person)) for row in newest.to_pylist()]
    return _source_section(this, "app_db", found)


def _stripe_section(this: Reading) -> SourceSection:
    api, known = this.sources.stripe, this.person.known
    if api is None:
        this.gaps.append(Gap(place="stripe", reason="LEII_STRIPE_API_KEY is not set"))
        return SourceSection(source="stripe", tables=[])
    customers, accounts = known.get("stripe_customer", ()), known.get("stripe_account", ())
    rows = this.attempt(
        "stripe", lambda: read_stripe_rows(api, customers, accounts, this.person.account_id), StripeRows()
    )
    this.gaps += [Gap(place=f"stripe.{table}", reason=reason) for table, reason in rows.unread.items()]
    found = {
        name: [Row(fields=own_fields(this.policy.table("stripe", name), flat(one), this.person)) for one in objects]
        for name, objects in rows.tables.items()
    }
    return _source_section(this, "stripe", found)


def _read_events(this: Reading, root: str) -> EventRows:
    return read_event_rows(this.con, this.workspace, open_store(root, this.sources.s3), this.person)


def _events_section(this: Reading) -> SourceSection:
    root = this.sources.events_root
    if root is None:
        this.gaps.append(Gap(place="events", reason="LEII_EVENTS_ROOT is not set"))
        return SourceSection(source="events", tables=[])
    rows = this.attempt("events", lambda: _read_events(this, root), None)
    if rows is None:
        return SourceSection(source="events", tables=[])
    if rows.damaged:
        this.gaps.append(Gap(place="events", reason=f"{rows.damaged} event files cannot be read to their end"))
    cookies = {
        str(one["anonymousId"])
        for one in rows.events
        if one.get("userId") == this.person.account_id and one.get("anonymousId")
    }
    person = Person(
        account_id=this.person.account_id,
        known={**this.person.known, "anonymous": this.person.known.get("anonymous", frozenset()) | cookies},
    )
    table = this.policy.table("events", "event")
    newest = sorted(rows.events, key=lambda event: str(event.get("receivedAt")), reverse=True)
    return _source_section(this, "events", {"event": [Row(fields=own_fields(table, flat(e), person)) for e in newest]})


def _source_section(this: Reading, source: str, found: dict[str, list[Row]]) -> SourceSection:
    clean = without_others(this.con, this.sources.dsn, this.person, found)
    return SourceSection(source=source, tables=_named(clean))


def _named(tables: dict[str, list[Row]]) -> list[RowTable]:
    return [RowTable(name=name, rows=rows) for name, rows in tables.items() if rows]


def _purpose_section(this: Reading, purpose: Purpose, held: list[HeldTable]) -> PurposeSection:
    load_person(this.con, this.workspace, purpose.name)
    none: list[RowTable] = []
    kept = this.attempt(f"warehouse/{purpose.name}", lambda: _kept(this, purpose.name), dict[str, list[RowTable]]())
    held += this.attempt(f"held/{purpose.name}", lambda: _held(this, purpose.name), list[HeldTable]())
    stored = kept.get("stored", none)
    return PurposeSection(
        name=purpose.name,
        title=purpose.title,
        what_for=purpose.what_for,
        promises=list(purpose.promises),
        basis_article=purpose.basis_article,
        basis_reason=purpose.basis_reason,
        data_use=purpose.data_use,
        readers=list(purpose.readers),
        retention_days=purpose.retention_days,
        held_by_law=purpose.held_by_law.statute if purpose.held_by_law else None,
        gets=_gets(this.policy, purpose.name, {table.name for table in stored}),
        stored=stored,
        computed=kept.get("computed", none),
        published=kept.get("published", none),
    )


def _kept(this: Reading, purpose: str) -> dict[str, list[RowTable]]:
    """What lies in the purpose's warehouse and its published copies; the session is prepared for the person."""
    file, key = this.workspace.home.warehouse_file(purpose), this.workspace.keyring.purpose_key(purpose, "warehouse")
    none: list[RowTable] = []
    with attached(this.con, file, "purpose", key, read_only=True):
        return {
            "stored": stored_rows(this.con, this.policy, purpose),
            "computed": computed_rows(this.con, this.policy, purpose, "purpose", leave_out=["src"]),
            "published": this.attempt(f"published/{purpose}", lambda: _published(this, purpose), none),
        }


def _published(this: Reading, purpose: str) -> list[RowTable]:
    """Rows of every version that lies in the folder, as an erasure looks at every version."""
    folder: Path = this.workspace.home.published_folder(purpose)
    key = this.workspace.keyring.purpose_key(purpose, "published")
    versions = sorted(path for path in folder.glob("*.duckdb") if not path.is_symlink()) if folder.is_dir() else []
    found: list[RowTable] = []
    for version in versions:
        with attached(this.con, version, "published", key, read_only=True):
            found += computed_rows(this.con, this.policy, purpose, "published")
    return found


def _held(this: Reading, purpose: str) -> list[HeldTable]:
    if not this.workspace.home.held_file.exists():
        return []
    with open_held(this.con, this.workspace, read_only=True):
        return held_rows(this.con, this.policy, purpose)


def _gets(policy: Policy, purpose: str, tables: set[str]) -> list[Gets]:
    """How each column of the tables that hold something is treated on its way to the purpose."""
    return [
        Gets(
            table=f"{table.source}.{table.name}",
            column=column.path,
            category=column.category,
            treatment=treatment.name,
            parameter=treatment.parameter,
        )
        for table in policy.tables_of(purpose)
        if table.stored_name in tables
        for column, treatment in table.outputs(purpose)
    ]


def _rule_texts(this: Reading) -> dict[str, str]:
    """The English texts of the fraud rules by code; the app's flags carry the Norwegian ones."""
    file, key = this.workspace.home.warehouse_file(FLAGS), this.workspace.keyring.purpose_key(FLAGS, "warehouse")
    with attached(this.con, file, "rules", key, read_only=True):
        there = this.con.execute(
            "SELECT count(*) FROM duckdb_tables() "
            "WHERE database_name = 'rules' AND schema_name = 'marts' AND table_name = 'dim_rule'"
        ).fetchone()
        if there == (0,):
            return {}
        return dict(this.con.execute("SELECT rule_code, text_en FROM rules.marts.dim_rule").fetchall())


def _texts_that_name(person: Person, app: AppRows) -> list[str]:
    """What would stand in a broken line about the person: their ids, e-mail address and phone number."""
    texts = {value for values in person.known.values() for value in values}
    for row in app.tables["account"].to_pylist() if "account" in app.tables else []:
        texts |= {str(row[name]) for name in ("email", "phone", "national_id") if row.get(name)}
    return sorted(texts)
