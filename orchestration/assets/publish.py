"""Published copies, one a purpose."""

from datetime import timedelta
from pathlib import Path

from dagster import AssetExecutionContext, AssetKey, AssetsDefinition, FreshnessPolicy, MaterializeResult, asset

from orchestration import steps
from orchestration.assets.common import PUBLISH, published_key, warehouse_pool
from pseudonymisation.policy.model import Policy
from publishing.copies import MARTS, public_marts

DAILY = FreshnessPolicy.time_window(fail_window=timedelta(hours=48), warn_window=timedelta(hours=26))


def publish_assets(policy: Policy, manifest: Path) -> list[AssetsDefinition]:
    return [_published(purpose, public_marts(manifest, purpose)) for purpose in policy.purposes]


def _published(purpose: str, marts: list[str]) -> AssetsDefinition:
    @asset(
        key=published_key(purpose),
        deps=[AssetKey([purpose, MARTS, mart]) for mart in marts],
        group_name=PUBLISH,
        kinds={"duckdb"},
        tags={"purpose": purpose},
        required_resource_keys={"run"},
        pool=warehouse_pool(purpose),
        freshness_policy=DAILY,
        description=f"The read-only copy of {purpose} that its readers open.",
    )
    def published(context: AssetExecutionContext) -> MaterializeResult[None]:
        copy = steps.publish(context.resources.run, purpose)
        return MaterializeResult(metadata={"version": copy.version, "tables": len(copy.tables), "rows": copy.row_count})

    return published
