"""An executor that runs a job's steps in threads of one process.

The steps spend their time in DuckDB, PostgreSQL, HTTP and dbt's own process, all of which leave Python's lock alone, so
threads use both cores as processes would; and a process a step would load Dagster and the definitions anew, which
costs more than most steps. One process is also what holds LEII_HOME's lock. Built as Dagster builds its own in-process executor.
"""

import os
import queue
import threading
from collections.abc import Iterator
from typing import cast

from dagster import DagsterEvent, Executor, Field, InitExecutorContext, Int, executor
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import EngineEventData
from dagster._core.execution.api import ExecuteRunWithPlanIterable
from dagster._core.execution.context.system import PlanExecutionContext, PlanOrchestrationContext, StepExecutionContext
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.plan.active import ActiveExecution
from dagster._core.execution.plan.execute_plan import dagster_event_sequence_for_step
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig

LOOK_AGAIN_SECONDS = 0.5
"""How often a step that waits for its pool is tried again, and an interrupt noticed."""

was_interrupted = threading.Event()
"""Set when a run of this process was stopped by SIGINT or SIGTERM, both of which Dagster catches."""

Happening = tuple[str, DagsterEvent | BaseException | None]


class Pools(InstanceConcurrencyContext):
    """Dagster's pools, for steps of which all run in this process."""

    def look_again(self) -> None:
        """Forget how long to wait before a slot is asked for again: a step has ended, so that one may be free.

        Dagster asks once a second, as it does not hear of a slot that another process lets go.
        """
        self._pending_timeouts.clear()


class ThreadExecutor(Executor):
    """At most `max_concurrent` steps at once; pools of the instance are respected."""

    def __init__(self, max_concurrent: int) -> None:
        self._max_concurrent = max_concurrent

    @property
    def retries(self) -> RetryMode:
        return RetryMode.ENABLED

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        keys = execution_plan.step_keys_to_execute
        yield DagsterEvent.engine_event(
            plan_context,
            f"Executing steps in up to {self._max_concurrent} threads (pid: {os.getpid()})",
            event_specific_data=EngineEventData.in_process(os.getpid(), keys),
        )
        yield from ExecuteRunWithPlanIterable(
            execution_plan=plan_context.execution_plan,
            iterator=self._iterate,
            execution_context_manager=PlanExecutionContextManager(
                job=plan_context.job,
                retry_mode=plan_context.retry_mode,
                execution_plan=plan_context.execution_plan,
                run_config=plan_context.run_config,
                dagster_run=plan_context.dagster_run,
                instance=plan_context.instance,
                raise_on_error=plan_context.raise_on_error,
                output_capture=plan_context.output_capture,
                step_dependency_config=StepDependencyConfig.default(),
            ),
        )

    def _iterate(self, job_context: PlanExecutionContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        with (
            Pools(job_context.instance, job_context.dagster_run) as pools,
            execution_plan.start(
                retry_mode=job_context.retry_mode,
                max_concurrent=self._max_concurrent,
                instance_concurrency_context=pools,
                step_dependency_config=StepDependencyConfig.default(),
            ) as active,
        ):
            yield from _run_steps(job_context, active, pools)


def _run_steps(context: PlanExecutionContext, active: ActiveExecution, pools: Pools) -> Iterator[DagsterEvent]:
    happenings: queue.Queue[Happening] = queue.Queue()
    while not active.is_complete:
        if active.check_for_interrupts():
            was_interrupted.set()
            active.mark_interrupted()
            raise DagsterExecutionInterruptedError
        for step in active.get_steps_to_execute():
            step_context = context.for_step(step, active.get_known_state())
            work = threading.Thread(target=_run_step, args=(step_context, happenings), name=step.key, daemon=True)
            work.start()
        yield from active.concurrency_event_iterator(context)
        yield from active.plan_events_iterator(context)
        try:
            step_key, happening = happenings.get(timeout=LOOK_AGAIN_SECONDS)
        except queue.Empty:
            continue
        if isinstance(happening, DagsterEvent):
            yield happening
            active.handle_event(happening)
        elif happening is None:
            active.verify_complete(context, step_key)
            pools.look_again()
        else:
            raise happening


def _run_step(context: StepExecutionContext, happenings: "queue.Queue[Happening]") -> None:
    """Hand over the step's events, then None; or what stopped it in a way that is not an event."""
    try:
        for event in dagster_event_sequence_for_step(context):
            happenings.put((context.step.key, event))
        happenings.put((context.step.key, None))
    except BaseException as error:
        happenings.put((context.step.key, error))


@executor(
    name="threads",
    config_schema={"max_concurrent": Field(Int, default_value=max(2, os.cpu_count() or 2))},
)
def thread_executor(context: InitExecutorContext) -> ThreadExecutor:
    """Steps in threads of one process, as many at once as there are cores."""
    return ThreadExecutor(cast("int", context.executor_config["max_concurrent"]))
