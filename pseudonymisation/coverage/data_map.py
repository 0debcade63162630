"""The data map: where does each source column go, in which models is it, who reads it, how long, and how does it leave?"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pseudonymisation.coverage.check import trace_all
from pseudonymisation.coverage.models import Model
from pseudonymisation.coverage.origins import PolicyColumn, PurposeLineage
from pseudonymisation.coverage.source_rules import title_of
from pseudonymisation.policy.model import Column, Policy, Table, Treatment

WRITTEN_TO_THE_APP = {("fraud", "marts.fct_flag"): "app.fraud_flag"}
"""What the app's own database is given, by the published table that it is made from."""

ABOUT_REQUESTS = "app.privacy_receipt"
"""The app is also told how each privacy request stands; that comes from the vault and from no source column."""

Columns = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Use:
    """What one purpose makes of one source column. `models` and `published` have column names by relation.

    `readers` are those of the published copies that it reaches; `app_tables` what of it goes back to the app.
    """

    purpose: str
    treatment: Treatment
    models: Columns
    published: Columns
    readers: tuple[str, ...]
    app_tables: tuple[str, ...]
    retention_days: int


@dataclass(frozen=True, kw_only=True)
class MappedColumn:
    """One column of a source; no uses means that it goes nowhere."""

    column: Column
    uses: tuple[Use, ...]


@dataclass(frozen=True, kw_only=True)
class MappedTable:
    """One source table. `row_models` has, by purpose, every model whose rows depend on it, whatever its columns say."""

    table: Table
    columns: tuple[MappedColumn, ...]
    row_models: Mapping[str, tuple[str, ...]]

    @property
    def title(self) -> str:
        return title_of(self.table)


def data_map(policy: Policy, models: Sequence[Model], purposes: Sequence[str]) -> list[MappedTable]:
    """Every source table that reaches one of these purposes, or none at all, in the policy's order."""
    lineages = [one for one in trace_all(policy, models) if one.purpose in purposes]
    stored = [model for model in models if model.materialized != "ephemeral"]
    found = {one.purpose: _descendants(one, stored) for one in lineages}
    public = {model.relation for model in models if model.is_public}
    return [
        _table(policy, table, lineages, found, public)
        for table in policy.tables.values()
        if not table.purposes or set(purposes) & set(table.purposes)
    ]


def _table(
    policy: Policy,
    table: Table,
    lineages: Sequence[PurposeLineage],
    found: Mapping[str, Mapping[PolicyColumn, Columns]],
    public: set[str],
) -> MappedTable:
    columns = []
    for column in table.columns.values():
        name = PolicyColumn(table.source, table.name, column.path)
        uses = [
            _use(policy, one.purpose, column.treatments[one.purpose], found[one.purpose].get(name, {}), public)
            for one in lineages
            if one.purpose in column.treatments
        ]
        columns.append(MappedColumn(column=column, uses=tuple(uses)))
    return MappedTable(
        table=table,
        columns=tuple(columns),
        row_models={
            one.purpose: tuple(
                relation
                for relation, lineage in one.relations.items()
                if table.stored_name in lineage.tables and not relation.startswith("src.")
            )
            for one in lineages
            if one.purpose in table.purposes
        },
    )


def _use(policy: Policy, purpose: str, treatment: Treatment, models: Columns, public: set[str]) -> Use:
    published = {relation: columns for relation, columns in models.items() if relation in public}
    told = (WRITTEN_TO_THE_APP.get((purpose, relation)) for relation in published)
    return Use(
        purpose=purpose,
        treatment=treatment,
        models=models,
        published=published,
        readers=policy.purposes[purpose].readers if published else (),
        app_tables=tuple(table for table in told if table is not None),
        retention_days=policy.purposes[purpose].retention_days,
    )


def _descendants(lineage: PurposeLineage, models: Sequence[Model]) -> dict[PolicyColumn, Columns]:
    """By source column: the models, and the columns of each, that descend from it. Models without rows are left out."""
    found: defaultdict[PolicyColumn, dict[str, list[str]]] = defaultdict(dict)
    for model in models:
        if model.purpose == lineage.purpose:
            for column, origins in lineage.relations[model.relation].columns.items():
                for origin in lineage.policy_columns(origins):
                    found[origin].setdefault(model.relation, []).append(column)
    return {
        origin: {relation: tuple(columns) for relation, columns in by_relation.items()}
        for origin, by_relation in found.items()
    }
