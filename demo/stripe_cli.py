"""Starts the double of Stripe's API: as a command, and from Python for the demo and for tests."""

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Self

import typer

from demo.stripe_faults import FaultSettings
from demo.stripe_resources import API_VERSION
from storage.clock import parse_now
from storage.errors import LeiiError

if TYPE_CHECKING:
    from stripe import StripeClient

DEFAULT_API_KEY = "sk_test_leii_demo"
READY = "Stripe double: "
START_SECONDS = 120.0
STOP_SECONDS = 5.0


def stripe_command(
    objects: Annotated[Path, typer.Option(help="Folder of JSON-lines files of Stripe objects.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on: loopback only.")] = "127.0.0.1",
    api_key: Annotated[str, typer.Option(help="The one key that is let in.")] = DEFAULT_API_KEY,
    rate_limit: Annotated[int, typer.Option(min=0, help="Requests a second per endpoint and account; 0 = any.")] = 25,
    error_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of requests answered with 5xx.")] = 0.0,
    cut_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of answers cut off half-way.")] = 0.0,
    duplicate_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of events listed twice.")] = 0.0,
    reorder: Annotated[bool, typer.Option("--reorder", help="Shuffle the events within a page.")] = False,
    latency_ms: Annotated[float, typer.Option(min=0, help="Milliseconds that every answer waits.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Same seed and same requests, same faults.")] = 0,
    deny: Annotated[list[str] | None, typer.Option(help="Type that the key may not read, such as charge.")] = None,
    fail: Annotated[list[str] | None, typer.Option(help="Type that answers nothing but 5xx, such as charge.")] = None,
    api_version: Annotated[str, typer.Option(help="The one API version that is known.")] = API_VERSION,
    now: Annotated[str | None, typer.Option(help="Fixed clock, such as 2026-11-15T06:00:00Z.")] = None,
    until_stdin_closes: Annotated[bool, typer.Option("--until-stdin-closes", hidden=True)] = False,
) -> None:
    """Serve a folder of Stripe objects as api.stripe.com would, on this machine only."""
    from demo.stripe_server import http_server, listen, open_double

    faults = FaultSettings(
        rate_limit=rate_limit,
        error_rate=error_rate,
        cut_rate=cut_rate,
        duplicate_rate=duplicate_rate,
        reorder=reorder,
        latency_ms=latency_ms,
        seed=seed,
        denied=tuple(deny or ()),
        failing=tuple(fail or ()),
        api_version=api_version,
    )
    try:
        listener = listen(host, port)
        double = open_double(objects, api_key=api_key, faults=faults, fixed_now=_parse_now(now))
    except LeiiError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None
    if until_stdin_closes:
        threading.Thread(target=_exit_when_stdin_closes, daemon=True).start()
    address, bound_port = listener.getsockname()[:2]
    typer.echo(f"{READY}http://{f'[{address}]' if ':' in address else address}:{bound_port}")
    sys.stdout.flush()
    http_server(double).run(sockets=[listener])


@dataclass(kw_only=True)
class StripeDouble:
    """A double running in a process of its own; stop it, or use it as a context manager."""

    base_url: str
    api_key: str
    process: "subprocess.Popen[str]"

    def client(self, *, max_network_retries: int = 2) -> "StripeClient":
        """A client of this double. The import waits until here: the double's own process has no use for it."""
        from stripe import StripeClient

        return StripeClient(
            self.api_key, base_addresses={"api": self.base_url}, max_network_retries=max_network_retries
        )

    def stop(self) -> None:
        """End the process; a second call does nothing."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_stripe_double(
    objects: Path,
    *,
    port: int = 0,
    api_key: str = DEFAULT_API_KEY,
    rate_limit: int = 25,
    error_rate: float = 0.0,
    cut_rate: float = 0.0,
    duplicate_rate: float = 0.0,
    reorder: bool = False,
    latency_ms: float = 0.0,
    seed: int = 0,
    denied: Sequence[str] = (),
    failing: Sequence[str] = (),
    api_version: str = API_VERSION,
    now: datetime | None = None,
) -> StripeDouble:
    """Start a double in a process of its own and wait until it answers; it ends with this process at the latest.

    The parameters are those of `leii demo stripe`. Raises LeiiError, with the double's own words, if it does not start.
    """
    arguments = {
        "objects": objects,
        "port": port,
        "api-key": api_key,
        "rate-limit": rate_limit,
        "error-rate": error_rate,
        "cut-rate": cut_rate,
        "duplicate-rate": duplicate_rate,
        "latency-ms": latency_ms,
        "seed": seed,
        "api-version": api_version,
        **({"now": now.isoformat()} if now else {}),
    }
    switches = ["--until-stdin-closes", *(["--reorder"] if reorder else [])]
    switches += [f"--deny={name}" for name in denied] + [f"--fail={name}" for name in failing]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "demo.stripe_cli",
            *switches,
            *(f"--{name}={value}" for name, value in arguments.items()),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": _python_path()},
    )
    return StripeDouble(base_url=_ready(process), api_key=api_key, process=process)


def _ready(process: "subprocess.Popen[str]") -> str:
    """The address that the process prints once it listens."""
    assert process.stdout is not None
    assert process.stderr is not None
    overdue = threading.Timer(START_SECONDS, process.kill)
    overdue.start()
    try:
        line = process.stdout.readline()
    finally:
        overdue.cancel()
    if line.startswith(READY):
        return line.removeprefix(READY).strip()
    process.kill()
    words = process.communicate()[1].strip().removeprefix("Error: ")
    raise LeiiError(words or f"the Stripe double did not start within {START_SECONDS:.0f} s")


def _python_path() -> str:
    """The repository first, so that the process finds this same package from any working directory."""
    here = str(Path(__file__).resolve().parents[1])
    return os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))


def _exit_when_stdin_closes() -> None:
    sys.stdin.read()
    os._exit(0)


def _parse_now(now: str | None) -> datetime | None:
    try:
        return parse_now(now) if now else None
    except LeiiError:
        raise LeiiError(
            f"--now is {now!r}: write an ISO 8601 time with its offset, e.g. 2026-11-15T06:00:00Z"
        ) from None


if __name__ == "__main__":
    typer.run(stripe_command)
