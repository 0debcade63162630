"""What the app is told: fraud flags for a person to decide on, and receipts of privacy requests."""

from dataclasses import asdict
from datetime import timedelta

from dagster import AssetExecutionContext, AssetsDefinition, FreshnessPolicy, MaterializeResult, asset

from orchestration import steps
from orchestration.assets.common import (
    CERTIFICATES,
    FEEDBACK,
    FRAUD_FLAGS,
    FRAUD_MODEL,
    RECEIPTS,
    VAULT_POOL,
    published_key,
)
from publishing.fraud_flags import PURPOSE

DAILY = FreshnessPolicy.time_window(fail_window=timedelta(hours=48), warn_window=timedelta(hours=26))


@asset(
    key=FRAUD_FLAGS,
    deps=[published_key(PURPOSE), FRAUD_MODEL],
    group_name=FEEDBACK,
    kinds={"postgres"},
    required_resource_keys={"run"},
    pool=VAULT_POOL,
    freshness_policy=DAILY,
    description="app.fraud_flag: raised, changed and withdrawn in one transaction.",
)
def fraud_flags(context: AssetExecutionContext) -> MaterializeResult[None]:
    return MaterializeResult(metadata=asdict(steps.write_flags(context.resources.run)))


@asset(
    key=RECEIPTS,
    deps=[CERTIFICATES],
    group_name=FEEDBACK,
    kinds={"postgres"},
    required_resource_keys={"run"},
    pool=VAULT_POOL,
    freshness_policy=DAILY,
    description="app.privacy_receipt: how each privacy request stands.",
)
def privacy_receipts(context: AssetExecutionContext) -> MaterializeResult[None]:
    return MaterializeResult(metadata={"changed": steps.send_receipts(context.resources.run)})


def feedback_assets() -> list[AssetsDefinition]:
    return [fraud_flags, privacy_receipts]
