"""`leii demo`: the whole product on a made-up marketplace, from nothing, with a summary at the end.

PostgreSQL and the double of Stripe run while the demo does; what `leii run` made stays, and needs neither.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from rich.console import Console

from demo.loading import load_world
from demo.place import Place, Show, read_truth
from demo.postgres import DemoPostgres, PostgresError, running_postgres, stop_postgres
from demo.stripe_cli import start_stripe_double
from demo.summary import print_summary
from demo.world.advance import advance as advance_world
from demo.world.generate import generate_world
from demo.world.spec import SIZES, world_spec
from storage.errors import LeiiError

MARK = "# Written by `leii demo`, which may write it again."
_console = Console(stderr=True, highlight=False)


def show(
    context: typer.Context,
    world: Annotated[
        Path, typer.Option(help="Folder for everything that the demo makes; an older demo there goes.")
    ] = Path(".world"),
    size: Annotated[str, typer.Option(help=" | ".join(SIZES))] = "small",
    seed: Annotated[int, typer.Option(help="The same seed gives the same world.")] = 1,
    days: Annotated[int, typer.Option(min=1, help="Days that the world plays on before the second run.")] = 3,
) -> None:
    """The made-up marketplace. Without a command: the whole product on it, from nothing."""
    if context.invoked_subcommand is None:
        run_show(world, size=size, seed=seed, days=days)


def run_show(root: Path, *, size: str = "small", seed: int = 1, days: int = 3) -> None:
    """Make a world, run `leii run` on it, play on, run again, and say what came of it. Raises LeiiError."""
    if size not in SIZES:
        raise LeiiError(f"--size is {size!r}: it must be one of {', '.join(SIZES)}")
    story = Show(place=Place(root=root.absolute()), days=days)
    try:
        _clear(story.place)
        with ExitStack() as stack:
            with _stage("a marketplace is made up, and PostgreSQL started"):
                other = stack.enter_context(ThreadPoolExecutor(1))
                generating = other.submit(generate_world, story.place.world, world_spec(seed=seed, size=size))
                server = stack.enter_context(running_postgres(story.place.postgres))
                generating.result()
            _play(story, server)
    except (PostgresError, ValueError, OSError) as error:
        raise LeiiError(f"the demo cannot go on: {error}") from error
    story.use_config = _write_beside(story.place)
    print_summary(Console(highlight=False), story)


def _play(story: Show, server: DemoPostgres) -> None:
    with _stage("the app's database is filled"):
        load_world(story.place.world, server.admin_dsn)
    port = _run_on(story, server, "the first run: everything is read", port=0)
    story.receipts_as_meant = _receipts_as_meant(story.place, _receipts(server))
    with _stage(f"{story.days} days pass: bookings, payments, fraud, people who ask to be forgotten"):
        advance_world(story.place.world, story.days, server.admin_dsn)
    _run_on(story, server, f"the second run: {story.days} days of news", port=port)
    story.flagged = _flagged(server)
    story.receipts = dict(Counter(_receipts(server).values()))


def _run_on(story: Show, server: DemoPostgres, heading: str, *, port: int) -> int:
    """One `leii run` as a user starts it, on the world as it is; gives the port that Stripe's double had."""
    place = story.place
    with start_stripe_double(place.world / "stripe", port=port, now=place.now) as stripe:
        _write_config(place, server, stripe.api_key, stripe.base_url)
        _console.print(f"\n[bold]{heading}[/bold]")
        began = time.monotonic()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LEII_")}
        done = subprocess.run(
            [sys.executable, "-m", "orchestration.cli", "run"],
            env=environment | {"LEII_CONFIG": str(place.config), "PYTHONPATH": _python_path()},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        story.seconds.append(time.monotonic() - began)
        if done.returncode != 0:
            raise LeiiError("the run failed, as it says above")
        story.reports.append(json.loads((place.home / "last_run.json").read_text()))
        return int(stripe.base_url.rsplit(":", 1)[1])


def _flagged(server: DemoPostgres) -> set[str]:
    with psycopg.connect(server.admin_dsn) as connection:
        rows = connection.execute("select account_id::text from app.fraud_flag where status = 'active'").fetchall()
    return {row[0] for row in rows}


def _receipts(server: DemoPostgres) -> dict[int, str]:
    with psycopg.connect(server.admin_dsn) as connection:
        return dict(connection.execute("select privacy_request_id, state from app.privacy_receipt").fetchall())


def _receipts_as_meant(place: Place, receipts: dict[int, str]) -> tuple[int, int]:
    """How many receipts say what the world's author planted, of how many; the truth holds for the world's first day."""
    planted = {
        row["privacy_request_id"]: row["expected_state"]
        for row in read_truth(place.world, "privacy_requests")
        if row["expected_state"] is not None and row["visible_from"] <= place.now.timestamp()
    }
    return sum(receipts.get(number) == state for number, state in planted.items()), len(planted)


def _clear(place: Place) -> None:
    """Remove an older demo; refuse a folder with anything else in it."""
    own = {"world", "postgres", "home", "leii.toml"}
    strange = sorted(path.name for path in place.root.iterdir() if path.name not in own) if place.root.is_dir() else []
    if strange:
        raise LeiiError(
            f"{place.root} holds what no demo made ({', '.join(strange[:3])}): name another folder with --world"
        )
    if place.postgres.is_dir():
        stop_postgres(place.postgres)
    for folder in (place.world, place.postgres, place.home):
        shutil.rmtree(folder, ignore_errors=True)
    place.root.mkdir(parents=True, exist_ok=True)


def _write_config(place: Place, server: DemoPostgres, api_key: str, api_base: str) -> None:
    settings = {
        "home": place.home,
        "app_db_dsn": server.pipeline_dsn,
        "stripe_api_key": api_key,
        "stripe_api_base": api_base,
        "events_root": place.world / "events",
        "now": place.now.isoformat(),
        "accept_synthetic_ids": "true",
    }
    lines = [MARK, *(f"{name} = {json.dumps(str(value))}" for name, value in settings.items())]
    place.config.touch(mode=0o600)
    place.config.write_text("\n".join(lines) + "\n")


def _write_beside(place: Place) -> Path | None:
    """Let `leii` find the demo from this folder, unless it has settings of its own: then give the file to be named."""
    here = Path("leii.toml")
    if here.exists() and not here.read_text().startswith(MARK):
        return place.config
    here.unlink(missing_ok=True)
    here.touch(mode=0o600)
    here.write_text(place.config.read_text())
    return None


@contextmanager
def _stage(text: str) -> Iterator[None]:
    began = time.monotonic()
    _console.print(f"… {text}")
    yield
    _console.print(f"[green]✓[/green] {text}: {time.monotonic() - began:.1f} s")


def _python_path() -> str:
    here = str(Path(__file__).resolve().parents[1])
    return os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
