"""Dagster's own place under LEII_HOME: what it stores, and what it must not (logs of steps, telemetry)."""

from pathlib import Path

import yaml
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from storage import Home, write_durably

CONFIG = {
    "telemetry": {"enabled": False},
    "nux": {"enabled": False},
    # What a step prints is kept nowhere: a library's warning can quote a row.
    "compute_logs": {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    },
    # A pool is a file: one writer.
    "concurrency": {"pools": {"granularity": "op", "default_limit": 1}, "runs": {"max_concurrent_runs": 1}},
    "retention": {"schedule": {"purge_after_days": 90}, "sensor": {"purge_after_days": 7}},
}


def prepare_dagster_home(home: Home) -> Path:
    """Write DAGSTER_HOME's dagster.yaml if it is not what it should be; returns the folder."""
    folder = home.dagster
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "dagster.yaml"
    event_log = {"module": "orchestration.event_log", "class": "KeptSqliteEventLogStorage"}
    config = CONFIG | {"event_log_storage": event_log | {"config": {"base_dir": str(folder / "history")}}}
    wanted = yaml.safe_dump(config, sort_keys=False).encode()
    if not path.exists() or path.read_bytes() != wanted:
        write_durably(path, wanted)
    return folder


def open_instance(home: Home) -> DagsterInstance:
    """The persistent instance that `leii run` and `dagster dev` share."""
    return DagsterInstance.from_config(str(prepare_dagster_home(home)))


def close_abandoned_runs(instance: DagsterInstance, *, except_run: str | None = None) -> int:
    """Mark runs that were killed as failed and free their pools; only for the holder of LEII_HOME's lock."""
    unfinished = RunsFilter(statuses=[DagsterRunStatus.STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.CANCELING])
    abandoned = [run for run in instance.get_runs(unfinished) if run.run_id != except_run]
    for run in abandoned:
        instance.report_run_failed(run, "The process was killed; the next run took up what it left.")
    storage = instance.event_log_storage
    pools = [storage.get_concurrency_info(pool) for pool in storage.get_concurrency_keys()]
    holders = {slot.run_id for pool in pools for slot in pool.claimed_slots}
    holders |= {step.run_id for pool in pools for step in pool.pending_steps}
    for run_id in holders - {except_run}:
        storage.free_concurrency_slots_for_run(run_id)
    return len(abandoned)
