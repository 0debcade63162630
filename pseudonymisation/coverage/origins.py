"""From a purpose's stored columns back to the policy's: which source columns does each column of each model descend from?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pseudonymisation.coverage.lineage import Lineage, Origin, source_lineage, trace_models
from pseudonymisation.coverage.models import Model
from pseudonymisation.loading_sql import outputs_of, stored_columns
from pseudonymisation.own_tables import OWN_TABLES
from pseudonymisation.policy.model import Column, Policy, Table

BATCH = "_batch_id"
ROW_KEY = "_row_key"


class PolicyColumn(NamedTuple):
    """A column of a source, as the policy names it."""

    source: str
    table: str
    path: str

    def __str__(self) -> str:
        return ".".join(self)


@dataclass(frozen=True, kw_only=True)
class PurposeLineage:
    """One purpose: the lineage of its source tables and models by relation, and what its stored columns are made of."""

    purpose: str
    relations: Mapping[str, Lineage]
    made_of: Mapping[Origin, frozenset[PolicyColumn]]

    def policy_columns(self, origins: Iterable[Origin]) -> frozenset[PolicyColumn]:
        return frozenset().union(*(self.made_of[origin] for origin in origins))


def trace_purpose(policy: Policy, models: Iterable[Model], purpose: str) -> PurposeLineage:
    tables = policy.tables_of(purpose)
    stored = {table.stored_name: [name for name, _ in stored_columns(table, purpose)] for table in tables}
    own = {table: list(columns) for table, columns in OWN_TABLES.get(purpose, {}).items()}
    made_of = {origin: made for table in tables for origin, made in _made_of(table, purpose).items()}
    of_nobody: dict[Origin, frozenset[PolicyColumn]] = {
        Origin(table, name): frozenset() for table, names in own.items() for name in names
    }
    return PurposeLineage(
        purpose=purpose,
        relations=trace_models([model for model in models if model.purpose == purpose], source_lineage(stored | own)),
        made_of=made_of | of_nobody,
    )


def is_personal(column: Column) -> bool:
    """Does it identify somebody or something of somebody's, or is it about a person?"""
    of_a_person = column.category == "user" or column.category.startswith("user.")
    return of_a_person or column.identifier is not None or column.about is not None


def personal_columns(table: Table, purpose: str) -> list[Column]:
    """The personal columns of a table that a purpose gets."""
    return [column for column, _ in table.outputs(purpose) if is_personal(column)]


def _made_of(table: Table, purpose: str) -> dict[Origin, frozenset[PolicyColumn]]:
    """A stored column is made of one source column; the row's key of the primary key; the batch's number of none."""
    found = {
        Origin(table.stored_name, output.name): frozenset({PolicyColumn(table.source, table.name, column.path)})
        for column, treatment in table.outputs(purpose)
        for output in outputs_of(table, column, treatment)
    }
    key = frozenset(PolicyColumn(table.source, table.name, path) for path in table.key)
    return found | {Origin(table.stored_name, ROW_KEY): key, Origin(table.stored_name, BATCH): frozenset()}
