"""The platform's Stripe objects to landing, against a bare read of the same pages and against dlt's REST source.

The double of Stripe's API serves a world of a hundred thousand such objects without a limit. The bare read and dlt walk each
list by itself, side by side. Only this project's way looks at the shape of every object, keeps a position from which it
could be resumed, and encrypts. Aims: one and a half times dlt's rate, two thirds of the bare read's, memory that does not
grow with the input.
"""

import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import requests
from dlt.sources.helpers.rest_client.paginators import BasePaginator
from dlt.sources.rest_api import rest_api_source
from dlt.sources.rest_api.typing import RESTAPIConfig

from benchmarks.candidates import new_dlt_pipeline, new_workspace
from benchmarks.measure import compare, peak_mib
from demo.stripe_cli import StripeDouble, start_stripe_double
from demo.world.generate import generate_world
from demo.world.spec import world_spec
from ingestion.landing import open_landing
from ingestion.pacing import Pacer
from ingestion.stripe_sync import pull_stripe
from pseudonymisation.policy.source_tables import stripe_shapes

TYPES = ("customer", "payment_intent", "charge", "refund", "transfer", "application_fee")
"""Types that only the platform has, so that a list is all that there is of one."""

UNLIMITED = 1e9
BOOKINGS = 26_500
"""Each has about four objects of these types."""


def main(bookings: int = BOOKINGS) -> None:
    """Print the three rates, the two ratios, and this project's memory for a tenth of the objects and for all."""
    folder = Path(tempfile.mkdtemp(prefix="leii-bench-"))
    try:
        for name, count in (("tenth", bookings // 10), ("all", bookings)):
            spec = world_spec(accounts=max(count // 5, 200), bookings=count, events=600)
            generate_world(folder / name, spec)
        with start_stripe_double(folder / "all" / "stripe", rate_limit=0) as double:
            _compare(double, folder)
        few, all_ = (_peak(folder, name) for name in ("tenth", "all"))
        print(f"  peak memory: {few:,.0f} MiB for a tenth of the objects, {all_:,.0f} MiB for all")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _peak(folder: Path, name: str) -> float:
    with start_stripe_double(folder / name / "stripe", rate_limit=0) as double:
        objects = _bare(double, folder / "bare")
        run = partial(_leii, double.base_url, double.api_key, folder / "home", objects)
        return peak_mib(run)


def _compare(double: StripeDouble, folder: Path) -> None:
    objects = _bare(double, folder / "bare")
    result = compare(
        objects,
        {
            "leii, encrypted landing": lambda: _leii(double.base_url, double.api_key, folder / "home", objects),
            "bare read of the pages": lambda: _read_bare(double, folder / "bare", objects),
            "dlt rest_api": lambda: _dlt(double, folder / "dlt"),
        },
    )
    bare = result.ratio("leii, encrypted landing", "bare read of the pages")
    print(f"Stripe, {objects:,} objects of {len(TYPES)} types")
    print("\n".join(result.lines()))
    print(f"  against the bare read: {bare:.2f} (aim: at least 0.67)")
    print(f"  against dlt: {result.ratio('leii, encrypted landing', 'dlt rest_api'):.2f} (aim: at least 1.50)")


def _leii(base_url: str, api_key: str, root: Path, objects: int) -> None:
    workspace, policy = new_workspace(root)
    pacer = Pacer(endpoint_rate=UNLIMITED, total_rate=UNLIMITED)
    with open_landing(workspace) as landing:
        pull = pull_stripe(
            workspace,
            landing,
            api_key=api_key,
            api_base=base_url,
            types=TYPES,
            pacer=pacer,
            shapes=stripe_shapes(policy),
        )
    landed = sum(pull.types[name].rows for name in TYPES)
    assert landed == objects, f"{landed} of {objects} objects were landed"


def _read_bare(double: StripeDouble, folder: Path, objects: int) -> None:
    assert _bare(double, folder) == objects, "not every object was read"


def _bare(double: StripeDouble, folder: Path) -> int:
    """Every page as it comes into a file a type; returns how many objects they had."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)

    def read(name: str) -> int:
        objects, after = 0, dict[str, str]()
        with requests.Session() as session, (folder / name).open("wb") as file:
            session.headers["Authorization"] = f"Bearer {double.api_key}"
            while True:
                page = session.get(f"{double.base_url}/v1/{name}s", params={"limit": "100", **after}, timeout=60)
                page.raise_for_status()
                file.write(page.content)
                found = orjson.loads(page.content)
                objects += len(found["data"])
                if not found["has_more"]:
                    return objects
                after = {"starting_after": found["data"][-1]["id"]}

    with ThreadPoolExecutor(len(TYPES)) as threads:
        return sum(threads.map(read, TYPES))


class _AfterTheLast(BasePaginator):
    """Stripe's pages: each is asked for by the last id of the one before."""

    def update_state(self, response: Any, data: list[Any] | None = None) -> None:
        body = response.json()
        self._has_next_page = body["has_more"]
        self._after = body["data"][-1]["id"] if body["data"] else None

    def update_request(self, request: Any) -> None:
        request.params = {**(request.params or {}), "starting_after": self._after}


def _dlt(double: StripeDouble, folder: Path) -> None:
    pipeline = new_dlt_pipeline("stripe", folder)
    config: RESTAPIConfig = {
        "client": {
            "base_url": f"{double.base_url}/v1/",
            "auth": {"type": "bearer", "token": double.api_key},
            "paginator": _AfterTheLast(),
        },
        "resource_defaults": {
            "max_table_nesting": 0,
            "parallelized": True,
            "endpoint": {"params": {"limit": 100}, "data_selector": "data"},
        },
        "resources": [{"name": name, "endpoint": {"path": f"{name}s"}} for name in TYPES],
    }
    pipeline.run(rest_api_source(config), loader_file_format="parquet")


if __name__ == "__main__":
    main(*(int(one) for one in sys.argv[1:]))
