"""Whole passes of `leii run` over a generated world: the first, and a second with one day of news; and peak memory.

Aims: the small world's demo under 90 s on two cores, the second pass under a quarter of the first, and under 2 GiB
of memory for the medium world.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from demo.loading import load_world
from demo.postgres import DemoPostgres, running_postgres
from demo.stripe_cli import StripeDouble, start_stripe_double
from demo.world.advance import advance
from demo.world.generate import generate_world
from demo.world.spec import world_spec

LEII = str(Path(sys.executable).with_name("leii"))


def main(size: str = "small") -> None:
    """Print what both passes over a world of this size took, and for the small one the whole demo."""
    if size == "small":
        _demo()
    with tempfile.TemporaryDirectory(prefix="leii-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        generate_world(folder / "world", world_spec(size=size))
        with (
            running_postgres(folder / "postgres") as server,
            start_stripe_double(folder / "world" / "stripe") as stripe,
        ):
            load_world(folder / "world", server.admin_dsn)
            first = _run(folder, server, stripe)
            advance(folder / "world", 1, server.admin_dsn)
            second = _run(folder, server, stripe)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{size} world: first pass {first:.0f} s, second with one day of news {second:.0f} s")
    print(f"  second / first: {second / first:.2f} (aim: below 0.25)")
    print(f"  largest process: {peak:,.0f} MiB (aim: below 2,048 for the medium world)")


def _demo() -> None:
    with tempfile.TemporaryDirectory(prefix="leii-bench-", ignore_cleanup_errors=True) as name:
        began = time.perf_counter()
        subprocess.run([LEII, "demo"], cwd=name, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        print(f"leii demo, small world: {time.perf_counter() - began:.0f} s (aim: below 90 on two cores)")


def _run(folder: Path, server: DemoPostgres, stripe: StripeDouble) -> float:
    now = datetime.fromtimestamp(json.loads((folder / "world" / "world.json").read_text())["now"], UTC)
    environment = {
        **os.environ,
        "LEII_HOME": str(folder / "home"),
        "LEII_APP_DB_DSN": server.pipeline_dsn,
        "LEII_STRIPE_API_KEY": stripe.api_key,
        "LEII_STRIPE_API_BASE": stripe.base_url,
        "LEII_EVENTS_ROOT": str(folder / "world" / "events"),
        "LEII_NOW": now.isoformat(),
    }
    began = time.perf_counter()
    subprocess.run([LEII, "run", "--json"], env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    main(*sys.argv[1:])
