"""A generated town that `leii run` has been over, once for all tests that look at published copies."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import polars as pl

from benchmarks.running_world import RunningWorld
from demo.loading import load_world
from demo.postgres import running_postgres
from demo.stripe_cli import start_stripe_double
from demo.world.generate import generate_world
from demo.world.spec import world_spec
from publishing.readers import open_published
from storage import Home, KeyRing, Workspace
from storage.keyring import load_keyring

# Large enough for some cells of the market to have ten customers and five providers.
TOWN = {"seed": 11, "accounts": 400, "bookings": 2_500, "events": 4_000}


@dataclass(frozen=True, kw_only=True)
class PublishedTown:
    """A LEII_HOME with every purpose published. `environment`: what a viewer of it is started with."""

    home: Home
    now: datetime

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LEII_")}
        own = {"LEII_HOME": str(self.home.root), "LEII_CONFIG": str(self.config), "LEII_NOW": self.now.isoformat()}
        return {**kept, **own}

    @property
    def config(self) -> Path:
        """Empty: the leii.toml of the working directory is somebody's own."""
        return self.home.root.parent / "leii.toml"

    @property
    def keyring(self) -> KeyRing:
        return load_keyring(str(self.home.default_keyring_file))

    @property
    def workspace(self) -> Workspace:
        return Workspace(home=self.home, keyring=self.keyring, now=self.now)

    def query(self, purpose: str, sql: str) -> pl.DataFrame:
        """Ask a published copy, not by the way that the pages take."""
        with open_published(self.home, self.keyring.for_readers([purpose]), purpose) as con:
            return con.execute(sql).pl()


@cache
def published_town(folder: Path) -> PublishedTown:
    """Generate, load, run; the sources are gone afterwards. The cache makes one of it for several packages of tests."""
    world = folder / "world"
    spec = world_spec(seed=TOWN["seed"], accounts=TOWN["accounts"], bookings=TOWN["bookings"], events=TOWN["events"])
    generate_world(world, spec)
    now = datetime.fromtimestamp(json.loads((world / "world.json").read_text())["now"], UTC)
    town = PublishedTown(home=Home(folder / "home"), now=now)
    town.config.touch()
    with (
        tempfile.TemporaryDirectory(prefix="leii-postgres-") as data,
        running_postgres(Path(data)) as postgres,
        start_stripe_double(world / "stripe", rate_limit=0) as stripe,
    ):
        load_world(world, postgres.admin_dsn)
        running = RunningWorld(folder=folder, server=postgres, stripe=stripe, stripe_is_limited=False)
        done = subprocess.run(
            [leii(), "run"], env=running.environment, capture_output=True, text=True, check=False, timeout=600
        )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return town


def leii() -> str:
    """The command as it is installed beside this Python."""
    return str(Path(sys.executable).with_name("leii"))
