"""What an access export says, as data: the JSON file is this model, and the page is made from it."""

from datetime import date, datetime
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

FORMAT = "leii-access/1"

YOU = "[you]"
"""Stands where a purpose keeps a pseudonym of the person who asked."""
OTHER_PARTY = "[the other party]"
"""Stands where somebody else is named."""

Value: TypeAlias = str | int | float | bool | list[str]
Fate = Literal["deleted", "detached", "recomputed", "held"]
"""What an erasure would do to a row: it goes; it stays for others without a trace of the person; it is computed anew
without them; the law keeps it as it is."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Row(_Model):
    """One row about the person, with what in it is theirs. `held_until`: how long the law would keep it."""

    fields: dict[str, Value]
    on_erasure: Fate | None = None
    held_until: date | None = None


class RowTable(_Model):
    """The rows of one table. `name`: as in the policy, or schema and table."""

    name: str
    rows: list[Row]


class SourceSection(_Model):
    """What a source system has: app_db, stripe or events."""

    source: str
    tables: list[RowTable]


class Gets(_Model):
    """What a purpose gets of one column, and how it is treated on the way."""

    table: str
    column: str
    category: str
    treatment: str
    parameter: str | int | float | bool | None


class PurposeSection(_Model):
    """What the person's data are used for, and what the purpose keeps: as loaded, as computed, as published."""

    name: str
    title: str
    what_for: str
    promises: list[str]
    basis_article: str
    basis_reason: str
    data_use: str
    readers: list[str]
    retention_days: int
    held_by_law: str | None
    gets: list[Gets]
    stored: list[RowTable]
    computed: list[RowTable]
    published: list[RowTable]


class RecipientSection(_Model):
    """A recipient outside Leii that has been given data about the person. `gets`: as table.column of the app. `unsent`: what
    it has yet to be told of an erasure or a correction, with the names by which it knows the person."""

    name: str
    title: str
    what_for: str
    basis_article: str
    basis_reason: str
    gets: list[str]
    since: date | None
    unsent: list[Row]


class HeldTable(_Model):
    """Rows that the law keeps of somebody erased and that name the person too."""

    purpose: str
    table: str
    statute: str
    rows: list[Row]


class QuarantinedItem(_Model):
    """Something unreadable in which an identifier of the person stands. Its content may name others and is left out."""

    source: str
    reason: str
    bytes: int
    quarantined_at: datetime
    deleted_on: date


class VaultSection(_Model):
    """What the vault keeps; the secret itself and the keyed hashes are shown to nobody."""

    has_secret: bool
    aliases: dict[str, int]
    cookie_links: int
    tombstones: int
    erasure_certificates: list[str]


class FlagReason(_Model):
    code: str
    text_nb: str
    text_en: str
    value: float | None
    threshold: float | None


class FraudFlag(_Model):
    """A finding for a person at Leii to decide on."""

    flag_id: str
    status: str
    recommended_action: str
    score: float
    first_seen_at: datetime
    expires_at: datetime
    reasons: list[FlagReason]


class PrivacyRequest(_Model):
    """A request of the person's and how it stands. `decision`: of the ledger of erasures."""

    privacy_request_id: int
    kind: str
    requested_at: datetime
    identity_verified_at: datetime | None
    withdrawn_at: datetime | None
    decision: str | None
    receipt_state: str | None
    receipt_explanation: str | None
    certificate_id: str | None


class Gap(_Model):
    """A place that could not be read, so that the export is not complete."""

    place: str
    reason: str


class Export(_Model):
    """Everything that is held about one person."""

    format: Literal["leii-access/1"]
    privacy_request_id: int
    made_at: datetime
    deletes_itself_on: date
    is_complete: bool
    gaps: list[Gap]
    controller: str
    contact: str
    complaints_to: str
    automated_decisions: bool
    sources: list[SourceSection]
    purposes: list[PurposeSection]
    recipients: list[RecipientSection]
    landing: list[RowTable]
    quarantine: list[QuarantinedItem]
    held: list[HeldTable]
    registry_answers: list[Row]
    vault: VaultSection
    fraud_flags: list[FraudFlag]
    privacy_requests: list[PrivacyRequest]
