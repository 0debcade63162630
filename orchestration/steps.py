"""The stages of a run as plain functions, which Dagster's assets and `leii` both call.

In order: read events and Stripe (together), then the app database (last, so that every identifier in the others is
known), learn who is who, give each purpose its share, decide and sweep erasures, build each purpose's models, publish,
finish erasures, tell the app, empty landing. Each step can be done again: a crash anywhere is mended by the next run.
"""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from ingestion.landing import open_landing
from orchestration.boundary import BoundaryCheck, check_boundary
from orchestration.context import Run
from orchestration.dbt_runs import DbtBuild, build_purpose, fresh_manifest
from orchestration.report import Stage, without_data
from pseudonymisation import loading
from pseudonymisation.compaction import compact_if_due
from pseudonymisation.erasure.orphans import note_restored, require_vault
from pseudonymisation.loading import PurposeLoad, takers
from pseudonymisation.policy.private_counts import load_private_counts
from pseudonymisation.vault import registrations
from publishing.copies import PublishedCopy, publish_purpose, remove_replaced
from publishing.fraud_flags import FlagsWritten, write_fraud_flags
from publishing.readers import LET_GO_AFTER_SECONDS
from publishing.receipts import certificates_lost, write_receipts
from storage import LeiiError

NO_BATCH_YET = 2**62

RESTORED_ADVICE = (
    "and who asked or is gone is erased again; a cookie that was erased since the backup must be erased again"
)

BUILD_FIRST = {"matching": 2, "market_trends": 2, "fraud": 1}
"""Purposes with the longest builds start first, so that the other core is not left waiting for them."""

WAIT_FOR_READERS_SECONDS = 2 * LET_GO_AFTER_SECONDS
"""How long an erasure waits for readers to let go of the copies before the newest; then it is left to the next run."""


@dataclass(frozen=True, kw_only=True)
class SourcePull:
    """What one pass read of a source: rows by table (all its tables, also those without news)."""

    source: str
    rows: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class PurposeTaken:
    """What a purpose took in, and what the check at the border found."""

    load: PurposeLoad
    checks: tuple[BoundaryCheck, ...]


def notice_restored(run: Run) -> list[str]:
    """Notice what was put back from a backup: the vault or a purpose that is older than what landing gave it, or a whole
    LEII_HOME that does not know a certificate which the app shows.

    Every source is then read from the start, so that nothing that was erased since then is back for good and nothing
    that came since then is missing; the sweep removes the rows that nobody owns any more. Returns who is older. Raises
    LeiiError if there are warehouses and no vault.
    """
    require_vault(run.workspace, run.policy)
    with open_landing(run.workspace) as landing:
        behind = loading.takers_behind(run.workspace, landing, run.policy)
        lost = certificates_lost(run.workspace, run.dsn)
        if behind or lost:
            with run.report.stage("restored", ", ".join(behind) or "everything") as stage:
                stage.counts = {"certificates_lost": lost}
                note_restored(run.workspace)
                landing.reset_cursors()
                what = (
                    f"{lost} certificates that the app shows are not known here" if lost else "older than the last run"
                )
                stage.warnings.append(f"{stage.part}: {what}, so every source is read from the start {RESTORED_ADVICE}")
    return behind or (["everything"] if lost else [])


def pull_events(run: Run) -> SourcePull:
    """New event files into landing; what cannot be read goes to quarantine."""
    from ingestion.events import pull_events, read_refusals
    from pseudonymisation.policy.source_tables import event_fields

    with run.report.stage("read", "events") as stage, open_landing(run.workspace) as landing:
        pull = pull_events(
            run.workspace,
            landing,
            root=run.settings.secret("events_root"),
            wanted=event_fields(run.policy),
            refusals=lambda: read_refusals(run.dsn),
            s3=run.settings.s3(),
            ip_countries=run.settings.ip_countries,
        )
        stage.counts = {
            "rows": pull.rows,
            "files": pull.files,
            "quarantined": pull.quarantined,
            "refused_without_consent": pull.refused_without_consent,
        }
        stage.tables = {"event": pull.rows}
        if pull.unclassified:
            names = ", ".join(sorted(pull.unclassified))
            stage.warnings.append(f"events: nobody has classified {names}: left out of every load")
    return SourcePull(source="events", rows=stage.tables)


def pull_stripe(run: Run) -> SourcePull:
    """What is new or changed in Stripe into landing."""
    from ingestion.stripe_sync import pull_stripe
    from pseudonymisation.policy.source_tables import stripe_shapes

    key, base = run.settings.secret("stripe_api_key"), run.settings.stripe_api_base
    pacer, shapes = run.settings.stripe_pacer(), stripe_shapes(run.policy)
    with run.report.stage("read", "stripe") as stage, open_landing(run.workspace) as landing:
        pull = pull_stripe(run.workspace, landing, api_key=key, api_base=base, pacer=pacer, shapes=shapes)
        stage.tables = {table: one.rows for table, one in pull.types.items()}
        stage.counts = {"rows": sum(stage.tables.values()), "quarantined": pull.quarantined}
        stage.warnings += [f"stripe: {note}" for note in pull.notes]
        _refuse_or_warn(run, stage, "stripe", pull.errors)
    return SourcePull(source="stripe", rows=stage.tables)


def pull_app_db(run: Run, *, allow_mass_deletion: bool = False) -> SourcePull:
    """What is new, changed or deleted in the app database into landing."""
    from ingestion.app_db import pull_app_db
    from pseudonymisation.policy.source_tables import app_db_tables

    with run.report.stage("read", "app_db") as stage, open_landing(run.workspace) as landing:
        tables = app_db_tables(run.policy)
        source = run.settings.app_db_source()
        pull = pull_app_db(run.workspace, landing, source, tables=tables, allow_mass_deletion=allow_mass_deletion)
        stage.warnings += [f"app_db: {note}" for note in pull.notes]
        known = {table.name for table in run.policy.tables_from("app_db")}
        stage.tables = {one.table: one.rows for one in pull.tables if one.is_listed}
        stage.counts = {"rows": sum(stage.tables.values()), "quarantined": sum(one.quarantined for one in pull.tables)}
        for one in pull.tables:
            if one.unclassified_columns and (one.is_listed or one.table not in known):
                columns = ", ".join(one.unclassified_columns)
                stage.warnings.append(f"app_db: nobody has classified {one.table} ({columns}): left out of every load")
        _refuse_or_warn(run, stage, "app_db", {one.table: one.error for one in pull.tables if one.error})
    return SourcePull(source="app_db", rows=stage.tables)


def ask_registries(run: Run) -> None:
    """Ask Enhetsregisteret about the organisations that providers state, if its address is set."""
    from pseudonymisation.registries.asking import ask_enhetsregisteret

    api_base = run.settings.enhetsregisteret_api_base
    if api_base is None:
        return
    with run.report.stage("ask", "enhetsregisteret") as stage, open_landing(run.workspace) as landing:
        asked = ask_enhetsregisteret(run.workspace, landing, run.policy, dsn=run.dsn, api_base=api_base)
        stage.counts = asdict(asked)
        if asked.answered < asked.asked:
            silent = asked.asked - asked.answered
            stage.warnings.append(
                f"enhetsregisteret: no answer about {silent} of {asked.asked} numbers; asked again next time"
            )


def register_people(run: Run) -> int:
    """Let the vault learn who is in the landed batches; returns how many people are new."""
    with run.report.stage("recognise") as stage, open_landing(run.workspace) as landing:
        created = loading.register_people(run.workspace, landing, run.policy)
        stage.counts = {"people": created}
    return created


def load_purpose(run: Run, purpose: str) -> PurposeTaken:
    """Give a purpose its share of every batch, pseudonymised, and check it at the border."""
    with run.report.stage("pseudonymise", purpose) as stage, open_landing(run.workspace) as landing:
        first = min((batch.batch_id for batch in landing.pending(purpose)), default=None)
        load = loading.load_purpose(run.workspace, landing, run.policy, purpose)
        since = NO_BATCH_YET if first is None else first
        checks = check_boundary(run.workspace, run.policy, purpose, since_batch=since)
        stage.tables = {name: table.loaded for name, table in load.tables.items()}
        stage.counts = {
            "rows": sum(stage.tables.values()),
            "deleted": sum(table.deleted for table in load.tables.values()),
            "expired": sum(table.expired for table in load.tables.values()),
            "refused_erased": sum(table.refused_erased for table in load.tables.values()),
            "refused_unmapped": sum(table.refused_unmapped for table in load.tables.values()),
        }
    return PurposeTaken(load=load, checks=tuple(checks))


def prepare_erasures(run: Run, *, cookie: str | None = None) -> tuple[str, ...]:
    """Rule on every request, sweep the source tables, of withdrawn consent too, and queue the notices to recipients;
    returns the purposes to be built."""
    from pseudonymisation.consent import apply_withdrawn_consent
    from pseudonymisation.erasure.run import prepare_erasures

    with run.report.stage("sweep") as stage:
        consent = apply_withdrawn_consent(run.workspace, run.policy, run.dsn)
        prepared = prepare_erasures(run.workspace, run.policy, run.dsn, cookie=cookie)
        stage.counts = {
            "people": prepared.swept,
            "orphans": prepared.orphans,
            "rows_without_consent_removed": consent.removed,
            "rows_without_consent_reduced": consent.reduced,
        }
        stage.warnings += prepared.warnings
    make_notices(run)
    return prepared.purposes_touched


def make_notices(run: Run) -> int:
    """Queue what recipients are to be told of the erasures that have begun; returns how many notices are new."""
    from pseudonymisation.notices.making import make_erasure_notices

    with run.report.stage("notify") as stage:
        made = make_erasure_notices(run.workspace, run.policy, run.dsn)
        stage.counts = {"notices": made.made, "unnamed": made.unnamed}
    return made.made


def build_models(run: Run, purpose: str) -> DbtBuild:
    """Build and test a purpose's dbt models, and purge its file of what was corrected. Raises DbtError if one fails."""
    from learning.fraud import store

    with run.report.stage("build", purpose) as stage:
        if purpose == store.PURPOSE:
            store.prepare_models(run.workspace, is_on=run.settings.fraud_model == "on")
        build = build_purpose(run.workspace, purpose)
        compact_if_due(run.workspace, purpose)
        models = [node for node in build.nodes if node.unique_id.startswith("model.")]
        stage.counts = {"models": len(models), "tests": len(build.nodes) - len(models)}
        stage.warnings += [
            f"{purpose}: {node.unique_id.split('.')[2]} warns of {node.failures or 0} rows"
            for node in build.nodes
            if node.status == "warn"
        ]
    return build


def train_fraud_model(run: Run) -> dict[str, int]:
    """Train the fraud model if that is due, for the next build to score with; returns what was counted.

    What goes wrong is a warning: the model in use stays until it expires, and the rules do not need it.
    """
    from learning.fraud.store import PURPOSE, is_training_due

    with run.report.stage("train", PURPOSE) as stage:
        if run.settings.fraud_model == "off" or not is_training_due(run.workspace):
            return stage.counts
        from learning.fraud.training import train_model

        try:
            trial = train_model(run.workspace)
        except Exception as error:
            stage.warnings.append(f"fraud: no model was trained: {without_data(error)}")
            return stage.counts
        stage.counts = {
            "models_taken": int(trial.result == "taken"), "models_refused": int(trial.result == "refused"),
            "frauds_learnt_from": trial.frauds, "frauds_judged_on": trial.judged_frauds,
        }  # fmt: skip
    return stage.counts


def publish(run: Run, purpose: str) -> PublishedCopy:
    """Publish a new compacted copy of the purpose's public marts."""
    with run.report.stage("publish", purpose) as stage:
        private = load_private_counts() if run.settings.private_counts == "on" else None
        copy = publish_purpose(run.workspace, purpose, fresh_manifest(run.home), private_counts=private)
        stage.counts = {"tables": len(copy.tables), "rows": copy.row_count}
        stage.tables = dict(copy.tables)
        stage.warnings += copy.notes
    return copy


def build_and_publish(run: Run, purposes: Sequence[str]) -> None:
    """Build and publish these purposes, two at once as a whole run does. Raises the first failure when all have ended."""
    first = sorted(purposes, key=lambda purpose: -BUILD_FIRST.get(purpose, 0))
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="build") as pool:
        building = [pool.submit(_build_and_publish, run, purpose) for purpose in first]
    for one in building:
        one.result()


def _build_and_publish(run: Run, purpose: str) -> None:
    build_models(run, purpose)
    publish(run, purpose)


def finish_erasures(run: Run) -> tuple[str, ...]:
    """Verify, forget and certify what was swept; returns the certificates issued. What blocks one is a warning."""
    from pseudonymisation.erasure.run import finish_erasures

    with run.report.stage("certify") as stage:
        for purpose in run.purposes:
            for version in remove_replaced(run.home, purpose, wait_seconds=WAIT_FOR_READERS_SECONDS):
                stage.warnings.append(f"{purpose}: a reader still has version {version} open, which has been replaced")
        result = finish_erasures(run.workspace, run.policy)
        stage.counts = {"certificates": len(result.certificates), "blocked": len(result.blocked)}
        stage.warnings += [f"an erasure is not finished: {reason}" for reason in result.blocked]
    return result.certificates


def write_flags(run: Run) -> FlagsWritten:
    """Bring the app's table of fraud flags in line with the findings."""
    with run.report.stage("tell", "fraud_flag") as stage:
        written = write_fraud_flags(run.workspace, dsn=run.dsn)
        stage.counts = asdict(written)
    return written


def send_receipts(run: Run) -> int:
    """Tell the app how each privacy request stands; returns how many receipts changed."""
    from pseudonymisation.erasure.run import receipts

    with run.report.stage("tell", "privacy_receipt") as stage:
        standing = receipts(run.workspace)
        changed = write_receipts(run.dsn, standing, run.workspace.now)
        stage.counts = {"requests": len(standing), "changed": changed}
        stage.tables = dict(Counter(one.state for one in standing))
    return changed


def empty_landing(run: Run) -> int:
    """Remove the batches that everybody has taken, and what quarantine and exports have been kept long enough."""
    from ingestion.quarantine import Quarantine
    from pseudonymisation.access.exports import remove_expired_exports
    from pseudonymisation.notices.handing_over import tidy_notices

    with run.report.stage("tidy") as stage, open_landing(run.workspace) as landing:
        removed = landing.remove_taken_by_all(takers(run.policy))
        expired = Quarantine(run.workspace).remove_expired(run.workspace.now)
        exports = remove_expired_exports(run.workspace)
        notices = tidy_notices(run.workspace)
        stage.counts = {"batches": removed, "quarantine_files": expired, "exports": exports, "notice_files": notices}
    return removed


def forget_purpose(run: Run, purpose: str) -> None:
    """Throw a purpose's database away and read every source from the start, so that the next steps build it anew."""
    if purpose not in run.policy.purposes:
        raise LeiiError(f"no purpose {purpose!r}: the policy has {', '.join(run.purposes)}")
    with run.report.stage("rebuild", purpose):
        with open_landing(run.workspace) as landing:
            landing.reset_cursors()
        file = run.home.warehouse_file(purpose)
        for path in (file, file.with_name(file.name + ".wal")):
            path.unlink(missing_ok=True)


def _refuse_or_warn(run: Run, stage: Stage, source: str, errors: dict[str, str]) -> None:
    """Stop if a table failed from which identifiers are learnt: rows of other tables would be refused for want of it."""
    lines = [f"{source}.{table}: {reason}" for table, reason in errors.items()]
    vital = [name for name in errors if (t := run.policy.tables.get((source, name))) and registrations(t)]
    if vital:
        raise LeiiError("nothing is loaded, as these tables say who is who:\n" + "\n".join(lines))
    stage.warnings += lines
