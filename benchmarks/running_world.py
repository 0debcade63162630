"""A generated world on real parts, and the `leii` command timed on it as a whole process."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from demo.loading import load_world
from demo.postgres import DemoPostgres, running_postgres
from demo.stripe_cli import StripeDouble, start_stripe_double
from demo.world.advance import advance
from demo.world.generate import generate_world
from demo.world.spec import WorldSpec
from orchestration.context import Run
from orchestration.settings import Settings
from pseudonymisation.policy.reading import load_policy
from storage import Home, Workspace
from storage.keyring import load_keyring, load_or_create

LEII = str(Path(sys.executable).with_name("leii"))


ANY_NUMBER = 10_000
"""Requests a second for which a run does not wait."""

DUE_WHEN_ASKED = """
not exists (select from app.privacy_request as known where known.account_id = account.account_id)
and not exists (select from app.account_ban as ban where ban.account_id = account.account_id)
and not exists (
    select from (
        select unnest(array[customer_id, provider_id]) as party from app.booking
        where status in ('booked', 'in_progress') or paid_at is null or greatest(paid_at, completed_at) > %(since)s
    ) as busy where busy.party = account.account_id)
"""
"""SQL on app.account: whose erasure is due as soon as they ask (31 days after `since`), but for a claim or dispute."""


@dataclass(frozen=True, kw_only=True)
class RunningWorld:
    """The world's servers are up; LEII_HOME is beside it."""

    folder: Path
    server: DemoPostgres
    stripe: StripeDouble
    stripe_is_limited: bool = True

    @property
    def home(self) -> Home:
        return Home(self.folder / "home")

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(json.loads((self.folder / "world" / "world.json").read_text())["now"], UTC)

    @property
    def workspace(self) -> Workspace:
        return Workspace(home=self.home, keyring=load_keyring(str(self.home.default_keyring_file)), now=self.now)

    @property
    def environment(self) -> dict[str, str]:
        """What the command is told of this world, and nothing that was meant for another: neither by the environment nor
        by a leii.toml in the working directory."""
        config = self.folder / "leii.toml"
        config.touch()
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("LEII_")},
            "LEII_CONFIG": str(config),
            "LEII_HOME": str(self.home.root),
            "LEII_APP_DB_DSN": self.server.pipeline_dsn,
            "LEII_STRIPE_API_KEY": self.stripe.api_key,
            "LEII_STRIPE_API_BASE": self.stripe.base_url,
            "LEII_EVENTS_ROOT": str(self.folder / "world" / "events"),
            "LEII_NOW": self.now.isoformat(),
            **({} if self.stripe_is_limited else {"LEII_STRIPE_REQUESTS_PER_SECOND": str(ANY_NUMBER)}),
        }

    def leii(self, *arguments: str) -> float:
        """Run the command; gives the seconds that it took. Raises CalledProcessError if it fails."""
        began = time.perf_counter()
        subprocess.run([LEII, *arguments], env=self.environment, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began

    def leii_killed_after(self, seconds: float, *arguments: str) -> bool:
        """Run the command and kill it with all its processes after so long; false if it had ended before."""
        process = subprocess.Popen(
            [LEII, *arguments], env=self.environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
        return False

    def play_on(self, days: int) -> None:
        advance(self.folder / "world", days, self.server.admin_dsn)


@contextmanager
def running_world(spec: WorldSpec, *, rate_limit: int = 25) -> Iterator[RunningWorld]:
    """Generate a world, start its servers and fill them; all of it is gone afterwards.

    `rate_limit`: requests a second to an endpoint that the double of Stripe takes, as Stripe does; 0 for any number, and a
    run then asks for as many as it can.
    """
    with tempfile.TemporaryDirectory(prefix="leii-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user
        generate_world(folder / "world", spec)
        with (
            running_postgres(folder / "postgres") as server,
            start_stripe_double(folder / "world" / "stripe", rate_limit=rate_limit) as stripe,
        ):
            load_world(folder / "world", server.admin_dsn)
            yield RunningWorld(folder=folder, server=server, stripe=stripe, stripe_is_limited=rate_limit > 0)


def run_of(world: RunningWorld) -> Run:
    """A run over this world as it is now, in its LEII_HOME, for steps that are called in this process."""
    policy = load_policy()
    settings = Settings.model_construct(
        home=world.home.root,
        app_db_dsn=SecretStr(world.server.pipeline_dsn),
        stripe_api_key=SecretStr(world.stripe.api_key),
        stripe_api_base=world.stripe.base_url,
        stripe_requests_per_second=None if world.stripe_is_limited else ANY_NUMBER,
        events_root=str(world.folder / "world" / "events"),
        target="duckdb",
        now=world.now,
        keyring=None,
    )
    keyring = load_or_create(world.home.default_keyring_file, policy.purposes)
    return Run(settings=settings, workspace=Workspace(home=world.home, keyring=keyring, now=world.now), policy=policy)
