"""Erasures: swept from the source tables before the models are built, certified after the copies are published."""

from collections.abc import Iterable

from dagster import AssetExecutionContext, AssetsDefinition, AssetSpec, MaterializeResult, asset, multi_asset

from orchestration import steps
from orchestration.assets.common import (
    CERTIFICATES,
    EMPTIED,
    ERASE,
    FRAUD_MODEL,
    NOTICES,
    VAULT_POOL,
    published_key,
    source_table_key,
    swept_key,
)
from pseudonymisation.policy.model import Policy


def erase_assets(policy: Policy) -> list[AssetsDefinition]:
    return [_sweep(policy), _emptied(policy), _certificates(policy)]


def _sources(policy: Policy, purpose: str) -> list[object]:
    return [source_table_key(purpose, table.stored_name) for table in policy.tables_of(purpose)]


def _sweep(policy: Policy) -> AssetsDefinition:
    specs = [
        AssetSpec(
            swept_key(purpose),
            deps=_sources(policy, purpose),  # type: ignore[arg-type]
            group_name=ERASE,
            tags={"purpose": purpose},
            description=f"The source tables of {purpose} without the people whose erasure is due.",
        )
        for purpose in policy.purposes
    ]
    specs.append(
        AssetSpec(
            NOTICES,
            deps=[key for purpose in policy.purposes for key in _sources(policy, purpose)],  # type: ignore[misc]
            group_name=ERASE,
            description="What recipients are to be told of the erasures that have begun, encrypted until handed over.",
        )
    )

    @multi_asset(name="sweep_erased", specs=specs, required_resource_keys={"run"}, pool=VAULT_POOL)
    def sweep(context: AssetExecutionContext) -> Iterable[MaterializeResult[None]]:
        touched = steps.prepare_erasures(context.resources.run)
        for purpose in policy.purposes:
            yield MaterializeResult(asset_key=swept_key(purpose), metadata={"must_be_rebuilt": purpose in touched})
        yield MaterializeResult(asset_key=NOTICES)

    return sweep


def _emptied(policy: Policy) -> AssetsDefinition:
    @asset(
        key=EMPTIED,
        deps=[key for purpose in policy.purposes for key in _sources(policy, purpose)],  # type: ignore[misc]
        group_name=ERASE,
        required_resource_keys={"run"},
        description="Landing without what every purpose has taken, quarantine without what is past its time.",
    )
    def emptied(context: AssetExecutionContext) -> MaterializeResult[None]:
        return MaterializeResult(metadata={"batches_removed": steps.empty_landing(context.resources.run)})

    return emptied


def _certificates(policy: Policy) -> AssetsDefinition:
    @asset(
        key=CERTIFICATES,
        deps=[*(published_key(purpose) for purpose in policy.purposes), EMPTIED, NOTICES, FRAUD_MODEL],
        group_name=ERASE,
        kinds={"json"},
        required_resource_keys={"run"},
        pool=VAULT_POOL,
        description="Signed certificates of the erasures that were verified in every file.",
    )
    def certificates(context: AssetExecutionContext) -> MaterializeResult[None]:
        return MaterializeResult(metadata={"issued": len(steps.finish_erasures(context.resources.run))})

    return certificates
