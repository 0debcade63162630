"""Who is who, and each purpose's own source tables, checked at the border before anything is built on them."""

from collections.abc import Iterable

from dagster import (
    AssetCheckResult,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetsDefinition,
    AssetSpec,
    MaterializeResult,
    asset,
    multi_asset,
)

from orchestration import steps
from orchestration.assets.common import PEOPLE, PSEUDONYMISE, VAULT_POOL, landed_key, source_table_key, warehouse_pool
from orchestration.assets.ingest import tables_by_source
from orchestration.boundary import BoundaryCheck
from pseudonymisation.loading import TableLoad
from pseudonymisation.policy.model import Policy

CHECK = "no_raw_identifier"


def pseudonymise_assets(policy: Policy) -> list[AssetsDefinition]:
    return [_people(policy), *(_purpose(policy, purpose) for purpose in policy.purposes)]


def _people(policy: Policy) -> AssetsDefinition:
    landed = [landed_key(source, table) for source, tables in tables_by_source(policy).items() for table in tables]

    @asset(
        key=PEOPLE,
        deps=landed,
        group_name=PSEUDONYMISE,
        kinds={"duckdb"},
        required_resource_keys={"run"},
        pool=VAULT_POOL,
        description="The vault: a random secret for each person and their aliases as keyed hashes.",
    )
    def people(context: AssetExecutionContext) -> MaterializeResult[None]:
        steps.ask_registries(context.resources.run)
        return MaterializeResult(metadata={"new_people": steps.register_people(context.resources.run)})

    return people


def _purpose(policy: Policy, purpose: str) -> AssetsDefinition:
    tables = policy.tables_of(purpose)
    specs = [
        AssetSpec(
            source_table_key(purpose, table.stored_name),
            deps=[landed_key(table.source, table.name), PEOPLE],
            group_name=PSEUDONYMISE,
            kinds={"duckdb"},
            tags={"purpose": purpose},
            description=f"What {purpose} gets of {table.source}.{table.name}, by the policy.",
        )
        for table in tables
    ]
    checks = [
        AssetCheckSpec(
            CHECK,
            asset=spec.key,
            blocking=True,
            description="Only the policy's columns, and no e-mail, phone number or national id in a text.",
        )
        for spec in specs
    ]

    @multi_asset(
        name=f"pseudonymise_{purpose}",
        specs=specs,
        check_specs=checks,
        required_resource_keys={"run"},
        pool=warehouse_pool(purpose),
    )
    def pseudonymise(context: AssetExecutionContext) -> Iterable[MaterializeResult[None] | AssetCheckResult]:
        taken = steps.load_purpose(context.resources.run, purpose)
        for table in tables:
            load = taken.load.tables.get(table.stored_name, TableLoad())
            yield MaterializeResult(
                asset_key=source_table_key(purpose, table.stored_name),
                metadata={"rows": load.loaded, "deleted": load.deleted, "refused_erased": load.refused_erased},
            )
        known = {table.stored_name for table in tables}
        found = {check.table: check for check in taken.checks}
        strays = sorted(set(found) - known)
        for table in tables:
            yield _result(purpose, found[table.stored_name], strays)

    return pseudonymise


def _result(purpose: str, check: BoundaryCheck, strays: list[str]) -> AssetCheckResult:
    return AssetCheckResult(
        asset_key=source_table_key(purpose, check.table),
        check_name=CHECK,
        passed=check.passed and not strays,
        metadata={
            "rows_checked": check.rows,
            "unexpected_columns": ", ".join(check.unexpected_columns),
            "columns_with_raw_values": ", ".join(sorted(check.suspicious)),
            "tables_outside_the_policy": ", ".join(strays),
        },
    )
