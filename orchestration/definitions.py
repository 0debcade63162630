"""Dagster's definitions: every table and model as an asset, by stage. `dagster dev` shows them."""

from pathlib import Path

from dagster import AssetsDefinition, Definitions

from orchestration.assets.common import run_resource
from orchestration.assets.erase import erase_assets
from orchestration.assets.feedback import feedback_assets
from orchestration.assets.ingest import ingest_assets
from orchestration.assets.pseudonymise import pseudonymise_assets
from orchestration.assets.publish import publish_assets
from orchestration.assets.train import fraud_model
from orchestration.assets.transform import transform_assets
from orchestration.automation import nightly, run_job, sensors
from orchestration.context import current_run
from orchestration.dbt_runs import end_parsing, fresh_manifest
from orchestration.settings import load_settings
from orchestration.threads import thread_executor
from pseudonymisation.policy.model import Policy
from pseudonymisation.policy.reading import load_policy


def all_assets(policy: Policy, manifest: Path) -> list[AssetsDefinition]:
    """Every asset, by stage."""
    return [
        *ingest_assets(policy),
        *pseudonymise_assets(policy),
        *transform_assets(policy, manifest),
        fraud_model,
        *publish_assets(policy, manifest),
        *erase_assets(policy),
        *feedback_assets(),
    ]


def build_definitions() -> Definitions:
    """The definitions for the settings of the environment; dbt's manifest is parsed if a model has changed since."""
    manifest = fresh_manifest(load_settings().place())
    if current_run() is None:
        end_parsing()
    return Definitions(
        assets=all_assets(load_policy(), manifest),
        jobs=[run_job],
        schedules=[nightly],
        sensors=sensors(),
        resources={"run": run_resource},
        executor=thread_executor,
    )


defs = build_definitions()
