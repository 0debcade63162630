"""Sources into landing, an asset a table. The app database comes last: by then it knows whoever the others name."""

from collections.abc import Callable, Iterable

from dagster import AssetExecutionContext, AssetsDefinition, AssetSpec, MaterializeResult, multi_asset

from ingestion.stripe_objects import STRIPE_TYPES
from orchestration import steps
from orchestration.assets.common import READ, landed_key, with_rows
from orchestration.context import Run
from pseudonymisation.policy.model import Policy
from pseudonymisation.policy.source_tables import app_db_tables


def tables_by_source(policy: Policy) -> dict[str, list[str]]:
    """Every table that is landed, by source."""
    return {
        "events": [table.name for table in policy.tables_from("events")],
        "stripe": [entry.table for entry in STRIPE_TYPES],
        "app_db": [table.name for table in app_db_tables(policy)],
    }


def ingest_assets(policy: Policy) -> list[AssetsDefinition]:
    tables = tables_by_source(policy)
    first = [landed_key("events", tables["events"][0]), landed_key("stripe", "account")]
    return [
        _source("events", tables["events"], steps.pull_events),
        _source("stripe", tables["stripe"], steps.pull_stripe),
        _source("app_db", tables["app_db"], steps.pull_app_db, after=first),
    ]


def _source(
    source: str, tables: list[str], pull: Callable[[Run], steps.SourcePull], after: Iterable[object] = ()
) -> AssetsDefinition:
    specs = [
        AssetSpec(
            landed_key(source, table),
            group_name=READ,
            kinds={"parquet"},
            description=f"New, changed and deleted rows of {source}.{table}, encrypted, until every purpose has them.",
            deps=list(after) if position == 0 else [],  # type: ignore[arg-type]
        )
        for position, table in enumerate(tables)
    ]

    @multi_asset(name=f"read_{source}", specs=specs, required_resource_keys={"run"}, pool=f"read_{source}")
    def read(context: AssetExecutionContext) -> Iterable[MaterializeResult[None]]:
        run: Run = context.resources.run
        begun = run.begun.pop(source, None)
        rows = (begun.result() if begun is not None else pull(run)).rows
        yield from with_rows({landed_key(source, table): rows.get(table, 0) for table in tables})

    return read
