"""The first day of a marketplace: its tables are there, and nobody is in them yet."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.postgres import running_postgres
from demo.stripe_cli import start_stripe_double
from pseudonymisation.policy.reading import load_policy
from storage import Home
from tests.integration.conftest import Town

pytestmark = pytest.mark.slow

OPENS = 1_800_000_000


@pytest.fixture
def open_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="leii-market-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user
        yield folder


def test_a_run_before_the_first_customer_builds_and_publishes_every_purpose(open_folder: Path) -> None:
    world = open_folder / "world"
    (world / "events").mkdir(parents=True)
    (world / "stripe").mkdir()
    (world / "stripe" / "charge.jsonl").touch()
    (world / "world.json").write_text(json.dumps({"now": OPENS}))
    home, policy = Home(open_folder / "home"), load_policy()
    with (
        running_postgres(open_folder / "postgres") as postgres,
        start_stripe_double(world / "stripe", rate_limit=0) as stripe,
    ):
        town = Town(world=world, postgres=postgres, stripe=stripe, home=home, policy=policy)
        town.leii("run")
        assert all(any(home.published_folder(purpose).iterdir()) for purpose in policy.purposes)
        town.leii("status")
        assert town.query("market_trends", "SELECT count(*) FROM purpose.marts.agg_market_published") == [(0,)]
