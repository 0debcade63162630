"""dbt's models, an asset a model, with lineage from the source tables through to the published copies."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetDep,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    MaterializeResult,
)
from dagster_dbt import DagsterDbtTranslator, DbtProject, dbt_assets

from orchestration import steps
from orchestration.assets.common import TRANSFORM, source_table_key, swept_key, warehouse_pool
from orchestration.context import Run
from orchestration.dbt_runs import DbtBuild, DbtError, NodeResult
from pseudonymisation.policy.model import Policy

UNIQUE_ID = "dagster_dbt/unique_id"
Happening = MaterializeResult[None] | AssetCheckResult


class LeiiTranslator(DagsterDbtTranslator):
    """Keys as [purpose, layer, model]; a model that reads a source table waits for the sweep of erased people too."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> AssetKey:
        purpose = purpose_of(dbt_resource_props)
        if dbt_resource_props["resource_type"] == "source":
            table = dbt_resource_props.get("identifier") or dbt_resource_props["name"]
            return source_table_key(purpose, str(table))
        name = dbt_resource_props.get("alias") or dbt_resource_props["name"]
        return AssetKey([purpose, str(dbt_resource_props["schema"]), str(name)])

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        props = self.get_resource_props(manifest, unique_id)
        reads_source = any(str(one).startswith("source.") for one in props.get("depends_on", {}).get("nodes", []))
        deps = [*spec.deps, AssetDep(swept_key(purpose_of(props)))] if reads_source else spec.deps
        return spec.replace_attributes(deps=deps, owners=[], tags={"purpose": purpose_of(props)})

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return TRANSFORM


def purpose_of(props: Mapping[str, Any]) -> str:
    """The folder below models/ that a model or source stands in."""
    return str(Path(props["original_file_path"]).parts[1])


def transform_assets(policy: Policy, manifest: Path) -> list[AssetsDefinition]:
    content = orjson.loads(manifest.read_bytes())
    return [_purpose(purpose, content) for purpose in policy.purposes]


def _purpose(purpose: str, manifest: Mapping[str, Any]) -> AssetsDefinition:
    @dbt_assets(
        manifest=manifest,
        select=f"fqn:leii.{purpose}",
        exclude="resource_type:unit_test",
        name=f"build_{purpose}",
        dagster_dbt_translator=LeiiTranslator(),
        required_resource_keys={"run"},
        op_tags={"dagster/priority": str(steps.BUILD_FIRST.get(purpose, 0))},
        pool=warehouse_pool(purpose),
    )
    def build(context: AssetExecutionContext) -> Iterable[Happening]:
        run: Run = context.resources.run
        try:
            built, failure = steps.build_models(run, purpose), None
        except DbtError as error:
            built, failure = error.build or DbtBuild(purpose=purpose, nodes=()), error
        yield from _results(context.assets_def, built)
        if failure is not None:
            raise failure

    return build


def _results(assets: AssetsDefinition, build: DbtBuild) -> Iterable[Happening]:
    """What dbt did, in its own order, as Dagster sees it: names, times and counts."""
    models = {spec.metadata[UNIQUE_ID]: spec.key for spec in assets.specs}
    checks = {check.metadata[UNIQUE_ID]: check for check in assets.check_specs if check.metadata}
    for node in build.nodes:
        if node.unique_id in models and node.status == "success":
            yield MaterializeResult(asset_key=models[node.unique_id], metadata={"seconds": node.seconds})
        elif node.unique_id in checks and node.status != "skipped":
            check = checks[node.unique_id]
            yield AssetCheckResult(
                asset_key=check.asset_key,
                check_name=check.name,
                passed=_passed(node),
                severity=AssetCheckSeverity.WARN if node.status == "warn" else AssetCheckSeverity.ERROR,
                metadata={"failing_rows": node.failures or 0},
            )


def _passed(node: NodeResult) -> bool:
    return node.status in ("pass", "success")
