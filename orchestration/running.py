"""`leii run`: one pass over everything, as a Dagster run of the same assets that `dagster dev` shows."""

import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from orchestration import dbt_runs, steps
from orchestration.context import Run, active_run
from orchestration.report import Stage, save_report
from pseudonymisation.erasure.held import give_up_lost
from pseudonymisation.erasure.orphans import require_vault
from storage import LeiiError, exclusive_run

if TYPE_CHECKING:
    from dagster import DagsterEvent, JobDefinition

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

INTERRUPTED = 130
"""The exit code of a command that SIGINT ended, as shells have it."""


def stage_count(purposes: Sequence[str]) -> int:
    """How many stages a whole run has: three reads, five steps for everybody, two messages, the fraud model, three for each
    purpose."""
    return 3 + 5 + 2 + 1 + 3 * len(purposes)


def run_everything(
    run: Run,
    *,
    wait_seconds: float = 0.0,
    rebuild: Sequence[str] = (),
    on_change: Callable[[Stage], None] = lambda stage: None,
) -> bool:
    """One pass under LEII_HOME's lock; true if every stage went well. What happened is in `run.report`.

    `rebuild`: purposes that are thrown away and built anew from the sources. Raises LeiiError if another run is at work
    or a setting is missing; a stage that fails is reported and stops only what depends on it.
    """
    run.report.on_change = on_change
    with _interrupt_leaves(), exclusive_run(run.home, wait_seconds=wait_seconds), active_run(run):
        dbt_runs.begin_parsing(run.home)
        steps.notice_restored(run)
        for purpose in rebuild:
            steps.forget_purpose(run, purpose)
        try:
            _begin_reading(run)
            succeeded = _materialise(run)
        finally:
            save_report(run.home, run.report)
    return succeeded and not run.report.failed


def erase_now(
    run: Run,
    *,
    cookie: str | None = None,
    held_is_lost: bool = False,
    wait_seconds: float = 0.0,
    on_change: Callable[[Stage], None] = lambda stage: None,
) -> int:
    """Carry the erasures that are due to their end, without reading the sources first; returns how many certificates.

    `cookie`: an anonymousId that no account is tied to, to be erased with them. `held_is_lost`: go on though the held zone
    lacks what was put there. Raises LeiiError at the first stage that fails; the next run takes it up from there.
    """
    run.report.on_change = on_change
    with _interrupt_leaves(), exclusive_run(run.home, wait_seconds=wait_seconds), active_run(run):
        require_vault(run.workspace, run.policy)
        if held_is_lost:
            give_up_lost(run.workspace)
        dbt_runs.begin_parsing(run.home)
        touched = steps.prepare_erasures(run, cookie=cookie)
        steps.build_and_publish(run, touched)
        steps.empty_landing(run)
        certificates = steps.finish_erasures(run)
        if touched:
            steps.write_flags(run)
        steps.send_receipts(run)
    return len(certificates)


def publish_now(
    run: Run,
    purposes: Sequence[str],
    *,
    wait_seconds: float = 0.0,
    on_change: Callable[[Stage], None] = lambda stage: None,
) -> None:
    """Publish new copies of these purposes (none named: all) as they stand."""
    unknown = sorted(set(purposes) - set(run.purposes))
    if unknown:
        raise LeiiError(f"no purpose {', '.join(unknown)}: the policy has {', '.join(run.purposes)}")
    run.report.on_change = on_change
    with _interrupt_leaves(), exclusive_run(run.home, wait_seconds=wait_seconds), active_run(run):
        for purpose in purposes or run.purposes:
            steps.publish(run, purpose)


@contextmanager
def _interrupt_leaves() -> Iterator[None]:
    """Let SIGINT end the process there and then, as `kill -9` does: the next run takes up what is left.

    Python's own KeyboardInterrupt can come in the middle of an import, and is swallowed there with the lock of all
    imports held: the threads that read the sources would wait for it without end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leave(number: int = signal.SIGINT, frame: FrameType | None = None) -> NoReturn:
    show_cursor = "\x1b[?25h" if sys.stderr.isatty() else ""
    os.write(2, f"{show_cursor}leii: interrupted; the next run takes up what is left\n".encode())
    os._exit(INTERRUPTED)


def _begin_reading(run: Run) -> None:
    """Let the sources that wait on others' answers be read while Dagster is loaded; their assets take the results."""
    import ingestion.events
    import ingestion.stripe_sync  # noqa: F401  # loaded here: two threads must not load one package

    for name, pull in (("stripe", steps.pull_stripe), ("events", steps.pull_events)):
        run.begun[name] = Future()
        threading.Thread(target=_settle, args=(run.begun[name], pull, run), name=f"read-{name}", daemon=True).start()


def _settle(future: "Future[steps.SourcePull]", pull: Callable[[Run], steps.SourcePull], run: Run) -> None:
    try:
        future.set_result(pull(run))
    except BaseException as error:
        future.set_exception(error)


def _materialise(run: Run) -> bool:
    """Run the job that materialises every asset, with Dagster and dbt silent."""
    warnings.simplefilter("ignore")
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    from dagster import execute_job, reconstructable

    from orchestration.instance import close_abandoned_runs, open_instance
    from orchestration.threads import was_interrupted

    with open_instance(run.home) as instance:
        close_abandoned_runs(instance)
        with execute_job(reconstructable(everything_job), instance, run_config=QUIET) as result:
            succeeded: bool = result.success
            if was_interrupted.is_set():  # Dagster has caught the signal; steps are still at work in their threads
                save_report(run.home, run.report)
                _leave()
            if not succeeded and not run.report.failed:
                _tell_why(run, result.all_events)
    return succeeded


def _tell_why(run: Run, events: "Sequence[DagsterEvent]") -> None:
    """A failure that no stage tells of: a check that stops what is downstream, or Dagster's own."""
    with suppress(LeiiError), run.report.stage("dagster"):
        reasons = [
            f"{event.step_key or 'the run'}: {error.message.strip().splitlines()[0]}"
            for event in events
            if event.is_failure and (error := getattr(event.event_specific_data, "error", None)) is not None
        ]
        raise LeiiError("; ".join(reasons) or "Dagster gives no reason; `dagster dev` shows the run")


def everything_job() -> "JobDefinition":
    """The job of `leii run`, for Dagster to find by name."""
    from orchestration.automation import JOB
    from orchestration.definitions import defs

    return defs.resolve_job_def(JOB)
