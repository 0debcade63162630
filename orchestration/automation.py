"""What starts a run by itself: the night, new event files, new privacy requests. All are off until somebody turns them on."""

from collections.abc import Callable

import psycopg
from dagster import (
    AssetSelection,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunRequest,
    RunsFilter,
    ScheduleDefinition,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    define_asset_job,
)

from orchestration.settings import Settings, load_settings
from orchestration.threads import thread_executor
from storage import LeiiError

JOB = "leii_run"
UNFINISHED = [
    DagsterRunStatus.STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
]

run_job = define_asset_job(
    JOB,
    selection=AssetSelection.all(),
    executor_def=thread_executor,
    description="One pass: read the sources, pseudonymise, erase, build, publish, tell the app.",
)

nightly = ScheduleDefinition(
    name="nightly", job=run_job, cron_schedule="0 4 * * *", execution_timezone="Europe/Oslo", description="Every night."
)


def event_files_mark(settings: Settings) -> str:
    """A digest of the newest event files: it changes when one of them comes or changes."""
    from ingestion.event_store import open_store, recent_mark

    return recent_mark(open_store(settings.secret("events_root"), settings.s3()), settings.moment())


def privacy_requests_mark(settings: Settings) -> str:
    """How many privacy requests there are and when one last changed."""
    with psycopg.connect(settings.secret("app_db_dsn")) as connection:
        row = connection.execute("select count(*), max(updated_at) from app.privacy_request").fetchone()
    return f"{row[0]} {row[1].isoformat() if row[1] else ''}" if row else ""


def _sensor(name: str, mark: Callable[[Settings], str], seconds: int, description: str) -> SensorDefinition:
    """Asks for a run when the mark has changed since the last time, and no run is under way."""

    def look(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        try:
            now = mark(load_settings())
        except LeiiError as error:
            return SkipReason(str(error))
        except Exception as error:
            return SkipReason(f"the source cannot be reached ({type(error).__name__})")
        if now == context.cursor:
            return SkipReason("nothing new")
        if context.instance.get_runs(RunsFilter(job_name=JOB, statuses=UNFINISHED), limit=1):
            return SkipReason("a run is under way; what is new is looked at after it")
        return SensorResult(run_requests=[RunRequest(tags={"leii/because": name})], cursor=now)

    return SensorDefinition(
        name=name,
        evaluation_fn=look,
        job=run_job,
        minimum_interval_seconds=seconds,
        default_status=DefaultSensorStatus.STOPPED,
        description=description,
    )


def sensors() -> list[SensorDefinition]:
    return [
        _sensor("new_event_files", event_files_mark, 300, "Runs when an event file has arrived."),
        _sensor(
            "new_privacy_requests", privacy_requests_mark, 300, "Runs when a privacy request is new or has changed."
        ),
    ]
