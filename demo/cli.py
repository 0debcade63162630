"""`leii demo …`: the parts of the demo world, each startable by itself."""

from __future__ import annotations

import importlib
import importlib.util
import signal
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from demo.loading import load_world
from demo.postgres import PostgresError, running_postgres
from demo.world.advance import advance as advance_world
from demo.world.generate import generate_world
from demo.world.spec import DEFAULT_NOW, SIZES, world_spec

app = typer.Typer(help="The made-up marketplace: its world, its PostgreSQL and its Stripe.", no_args_is_help=False)
_console = Console(stderr=True)


@app.command()
def generate(
    out: Annotated[Path, typer.Option(help="Folder for the world: new, empty, or holding an older world.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same world, byte for byte.")] = 1,
    size: Annotated[str, typer.Option(help=" | ".join(SIZES))] = "small",
    now: Annotated[str, typer.Option(help="The world's clock.")] = DEFAULT_NOW.isoformat(),
    late_rate: Annotated[float, typer.Option(help="Share of events that arrive 1 to 7 days late.")] = 0.02,
    double_rate: Annotated[float, typer.Option(help="Share of events delivered twice.")] = 0.01,
    broken_rate: Annotated[float, typer.Option(help="Share of event lines that are broken.")] = 0.003,
) -> None:
    """Make a world: the app's tables, Stripe's objects, tracking events, and the truth about the planted cases."""
    with _console.status("the world: …") as status:
        try:
            rates = {"late_rate": late_rate, "double_rate": double_rate, "broken_rate": broken_rate}
            spec = replace(world_spec(seed=seed, size=size, now=_moment(now)), **rates)  # type: ignore[arg-type]
            content = generate_world(out, spec, progress=lambda part: status.update(f"the world: {part}"))
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
    counts = content["counts"]
    typer.echo(
        f"{out}: {counts['app.account']:,} accounts, {counts['app.booking']:,} bookings, {counts['events']:,} event lines, "
        f"{sum(n for name, n in counts.items() if name.startswith('stripe.')):,} Stripe objects"
    )


@app.command()
def postgres(
    folder: Annotated[Path, typer.Option(help="Folder for the server's data; made on the first start.")],
    port: Annotated[int | None, typer.Option(help="Port on 127.0.0.1; any free one if not given.")] = None,
    world: Annotated[Path | None, typer.Option(help="World to load, in place of what the database holds.")] = None,
) -> None:
    """Run the app's PostgreSQL on this machine until interrupted, and print how to reach it."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        with running_postgres(folder, port=port) as server:
            if world is not None:
                with _console.status("loading the world"):
                    load_world(world, server.admin_dsn)
            typer.echo(f"admin     {server.admin_dsn}")
            typer.echo(f"reader    {server.reader_dsn}")
            typer.echo(f"pipeline  {server.pipeline_dsn}")
            stopped.wait()
    except (PostgresError, OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error


@app.command()
def advance(
    world: Annotated[Path, typer.Option(help="Folder of the world.")],
    dsn: Annotated[str, typer.Option(help="DSN of the app's database, with a role that may write it all.")],
    days: Annotated[int, typer.Option(min=1, help="How many days to play on.")] = 1,
) -> None:
    """Play the world on: new, changed and deleted rows, new events, new and changed Stripe objects."""
    with _console.status("playing on") as status:
        try:
            done = advance_world(world, days, dsn, progress=lambda part: status.update(f"playing on: {part}"))
        except (ValueError, OSError) as error:
            raise typer.BadParameter(str(error)) from error
    typer.echo(f"{world} is now at {datetime.fromtimestamp(done['now'], UTC).isoformat()}")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"now must be a moment such as 2026-11-15T06:00:00Z, not {text!r}") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _register_stripe() -> None:
    """The double of Stripe's API brings its own command; without it the rest works all the same."""
    if importlib.util.find_spec("demo.stripe_cli") is None:
        return
    app.command("stripe")(importlib.import_module("demo.stripe_cli").stripe_command)


_register_stripe()

if __name__ == "__main__":
    app()
