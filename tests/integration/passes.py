"""A pass of `leii run` in this process, part by part: far cheaper than a process a pass, and the same steps."""

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.running_world import RunningWorld, run_of
from demo.loading import load_world
from demo.world.generate import generate_world
from demo.world.spec import WorldSpec
from orchestration import dbt_runs, steps
from orchestration.context import Run
from storage import Home, exclusive_run

CORES = 2
LONGEST_FIRST = ("fraud", "matching", "accounting", "market_trends")
"""The order in which purposes are built, so that no core waits long for the other."""


def renew(world: RunningWorld, spec: WorldSpec) -> None:
    """Another world in the same place, on the same servers. LEII_HOME is left as it is."""
    generate_world(world.folder / "world", spec)
    load_world(world.folder / "world", world.server.admin_dsn)


def clear(home: Home, *, into: Path | None = None) -> None:
    """Empty a LEII_HOME but for dbt's manifest, which describes the project and no data, and is slow to make.

    `into`: what was in it becomes all that is in this folder, instead of being gone.
    """
    if into is not None:
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir()
    for path in home.root.iterdir() if home.root.exists() else ():
        if path == home.dbt_folder("manifest").parent:
            continue
        if into is not None:
            path.rename(into / path.name)
        else:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def one_pass(world: RunningWorld, *, rebuild: Iterable[str] = ()) -> Run:
    """A whole pass in the world's LEII_HOME; `rebuild` as `leii run --rebuild`."""
    run = run_of(world)
    with exclusive_run(run.home):
        for purpose in rebuild:
            steps.forget_purpose(run, purpose)
        take_in(run)
        steps.prepare_erasures(run)
        build_and_certify(run)
    return run


def take_in(run: Run) -> int:
    """Read the sources, recognise people, give each purpose its share; gives how many people are new."""
    dbt_runs.begin_parsing(run.home)
    steps.notice_restored(run)
    at_once([partial(steps.pull_events, run), partial(steps.pull_stripe, run)])
    steps.pull_app_db(run)
    created = steps.register_people(run)
    load(run, run.purposes)
    return created


def load(run: Run, purposes: Iterable[str]) -> None:
    """Give these purposes their share of what has landed."""
    at_once([partial(steps.load_purpose, run, purpose) for purpose in purposes])


def build_and_publish(run: Run) -> None:
    """Every purpose's models, and the copies of them."""

    def build(purpose: str) -> None:
        steps.build_models(run, purpose)
        steps.publish(run, purpose)

    at_once([partial(build, purpose) for purpose in LONGEST_FIRST])


def build_and_certify(run: Run) -> None:
    """What follows the sweep, in the order of `leii run`."""
    build_and_publish(run)
    steps.empty_landing(run)
    steps.finish_erasures(run)
    steps.write_flags(run)
    steps.send_receipts(run)


def at_once(tasks: Iterable[Callable[[], object]]) -> None:
    """Do these in parallel; raises what the first of them in order raised."""
    with ThreadPoolExecutor(CORES) as pool:
        for future in [pool.submit(task) for task in tasks]:
            future.result()


def app(
    world: RunningWorld, sql: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    """A statement on the app's database, with every right; its rows if it has any."""
    with psycopg.connect(world.server.admin_dsn) as connection:
        cursor = connection.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []
