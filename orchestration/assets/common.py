"""What the assets share: the run as a resource, the keys, and the names of pools and groups."""

from collections.abc import Iterable, Iterator, Mapping

from dagster import AssetKey, InitResourceContext, MaterializeResult, resource

from orchestration import steps
from orchestration.context import Run, active_run, current_run, open_run
from orchestration.instance import close_abandoned_runs
from orchestration.report import save_report
from orchestration.settings import SOURCES
from storage import exclusive_run

READ, PSEUDONYMISE, ERASE, TRANSFORM, TRAIN, PUBLISH, FEEDBACK = (
    "read",
    "pseudonymise",
    "erase",
    "transform",
    "train",
    "publish",
    "feedback",
)

VAULT_POOL = "vault"
WAIT_FOR_OTHER_RUN_SECONDS = 3600.0

PEOPLE = AssetKey(["vault", "people"])
EMPTIED = AssetKey(["landing", "emptied"])
NOTICES = AssetKey(["erasure", "notices"])
CERTIFICATES = AssetKey(["erasure", "certificates"])
FRAUD_MODEL = AssetKey(["fraud", "model"])
FRAUD_FLAGS = AssetKey(["app", "fraud_flag"])
RECEIPTS = AssetKey(["app", "privacy_receipt"])


def landed_key(source: str, table: str) -> AssetKey:
    return AssetKey(["landing", source, table])


def source_table_key(purpose: str, stored_name: str) -> AssetKey:
    return AssetKey([purpose, "src", stored_name])


def swept_key(purpose: str) -> AssetKey:
    return AssetKey([purpose, "erasure", "swept"])


def published_key(purpose: str) -> AssetKey:
    return AssetKey([purpose, "published"])


def warehouse_pool(purpose: str) -> str:
    """One writer for the purpose's file."""
    return f"warehouse_{purpose}"


@resource(description="The run: settings, keys, policy and LEII_HOME's lock, which it holds until it ends.")
def run_resource(context: InitResourceContext) -> Iterator[Run]:
    """The run of `leii run` if that is what started Dagster; otherwise one of its own, under LEII_HOME's lock."""
    running = current_run()
    if running is not None:
        yield running
        return
    run = open_run(needs=SOURCES)
    with exclusive_run(run.home, wait_seconds=WAIT_FOR_OTHER_RUN_SECONDS), active_run(run):
        if context.instance is not None:
            close_abandoned_runs(context.instance, except_run=context.run_id)
        steps.notice_restored(run)
        try:
            yield run
        finally:
            if run.report.stages:  # Dagster also opens the resources of a run that it has only to show
                save_report(run.home, run.report)


def with_rows(rows: Mapping[AssetKey, int]) -> Iterable[MaterializeResult[None]]:
    """One result a table, with the rows that this pass brought it."""
    for key, count in rows.items():
        yield MaterializeResult(asset_key=key, metadata={"rows": count})
