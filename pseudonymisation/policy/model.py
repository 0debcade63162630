"""The policy as data: purposes, tables, and for every column its category, owner and treatment by purpose."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pseudonymisation.policy.recipients import Recipient

OnErasure = Literal["delete", "delete_if_alone", "detach"]

SUBJECT_KINDS = ("account", "stripe_customer", "stripe_account", "anonymous")
"""Kinds of identifiers that name a person and are resolved through the vault."""

FLAG_KIND = "fraud_flag"
"""The id of a fraud flag, which is made from its subject's pseudonym: names a person, but is nobody's alias."""

FLAGS = "fraud"
"""The purpose whose flags carry an id that the app sends back."""

NATURAL_TYPES: Mapping[str, str] = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "money": "DECIMAL(18,2)",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMPTZ",
    "epoch": "TIMESTAMPTZ",
    "list": "VARCHAR[]",
}
"""DuckDB's type of a column as it is landed (or read from the landed JSON), by the policy's word for it."""


@dataclass(frozen=True, kw_only=True)
class Treatment:
    """What a purpose gets of a column: the name of a treatment, its parameter, and the output column's name."""

    name: str
    parameter: str | int | float | bool | None
    output: str


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a source table, or one path of a JSON object."""

    path: str
    category: str
    type: str = "text"
    identifier: str | None = None
    about: str | None = None
    same_as: str | None = None
    values: tuple[str, ...] = ()
    beside_object: bool = False
    treatments: Mapping[str, Treatment] = field(default_factory=dict)

    @property
    def is_wildcard(self) -> bool:
        return self.path.endswith("*")


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table of a source. `subjects` maps a column that names a person to what that person's erasure does.

    `held_when` names, by purpose, the output column that must be set (and not false) for the law to hold a row.
    """

    source: str
    name: str
    key: tuple[str, ...]
    updated_at: str | None
    appended_at: str | None
    event_at: str | None
    subjects: Mapping[str, OnErasure]
    only: Mapping[str, tuple[str, ...]]
    held_when: Mapping[str, str]
    columns: Mapping[str, Column]

    @property
    def stored_name(self) -> str:
        """The table's name in a purpose's `src` schema."""
        return f"{self.source}__{self.name}"

    @property
    def purposes(self) -> tuple[str, ...]:
        found = {purpose for column in self.columns.values() for purpose in column.treatments}
        return tuple(sorted(found))

    def outputs(self, purpose: str) -> list[tuple[Column, Treatment]]:
        """The columns that this purpose gets, in the policy's order."""
        return [(c, c.treatments[purpose]) for c in self.columns.values() if purpose in c.treatments]

    def subject_outputs(self, purpose: str) -> dict[str, str]:
        """Subject column -> its column in the purpose's table, for the subjects that the purpose gets."""
        return {
            path: self.columns[path].treatments[purpose].output
            for path in self.subjects
            if purpose in self.columns[path].treatments
        }


@dataclass(frozen=True, kw_only=True)
class HeldByLaw:
    """Rows outlive an erasure until `years_after_year_end` years after the end of the year they are about."""

    statute: str
    years_after_year_end: int


@dataclass(frozen=True, kw_only=True)
class Purpose:
    """What personal data is used for, on which basis, by whom, how long."""

    name: str
    title: str
    what_for: str
    promises: tuple[str, ...]
    basis_article: str
    basis_reason: str
    data_use: str
    readers: tuple[str, ...]
    retention_days: int
    min_customers: int
    min_providers: int
    held_by_law: HeldByLaw | None


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The whole policy. `tables` is keyed by (source, table)."""

    purposes: Mapping[str, Purpose]
    tables: Mapping[tuple[str, str], Table]
    recipients: Mapping[str, Recipient]

    def table(self, source: str, name: str) -> Table:
        return self.tables[(source, name)]

    def tables_of(self, purpose: str) -> list[Table]:
        return [table for table in self.tables.values() if purpose in table.purposes]

    def tables_from(self, source: str) -> list[Table]:
        return [table for table in self.tables.values() if table.source == source]
