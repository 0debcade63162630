"""Broken objects and answers from the double of Stripe: no crash, no hang, nothing good lost, each bad one accounted for."""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from ingestion.landing import open_landing
from ingestion.pacing import Pacer
from ingestion.quarantine import CONTENT_LIMIT, Quarantine
from ingestion.stripe_objects import BY_NAME
from ingestion.stripe_shapes import ObjectShape
from ingestion.stripe_sync import StripePull, pull_stripe
from pseudonymisation.policy.reading import load_policy
from pseudonymisation.policy.source_tables import stripe_shapes
from storage import Workspace
from tests.fuzz.loading import load_for
from tests.ingestion.stripe_market import Market, landed, play_on, served, show, small_market

ROOT = Path(__file__).parents[2]


@contextmanager
def breaking(double_url: str, log: Path, *, seed: int, share: float, answers: float = 0.0) -> Iterator[str]:
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.breaking_proxy",
        double_url,
        str(seed),
        str(share),
        str(answers),
        str(log),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.communicate()


def pull(workspace: Workspace, api_key: str, api_base: str, shapes: Sequence[ObjectShape] = ()) -> StripePull:
    pacer = Pacer(endpoint_rate=2_000, total_rate=2_000)
    with open_landing(workspace) as landing:
        return pull_stripe(
            workspace, landing, api_key=api_key, api_base=api_base, network_retries=1, pacer=pacer, shapes=shapes
        )


def broken(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def check_accounts(workspace: Workspace, market: Market, done: StripePull, log: Path) -> int:
    """Of every table that did not stop: the good are landed as they are, the bad as what they still are or in quarantine.
    Gives how many were bad."""
    with open_landing(workspace) as landing:
        found = landed(workspace, landing)
    kept = {row["content"] for row in Quarantine(workspace).list(with_content=True).to_pylist()}
    bad = broken(log)
    spoilt = {one["id"] for one in bad}
    for table, truth in market.truth().items():
        parent = next((e.nested.parent for e in BY_NAME.values() if e.table == table and e.nested), None)
        if table in done.errors or parent in done.errors or parent is not None:
            continue  # what is nested in a spoilt parent is spoilt with it
        for object_id, (_, _, _, value) in truth.items():
            if object_id not in spoilt:
                assert found[table][object_id][3] == value, (table, object_id)
    ids = {table: set(rows) for table, rows in found.items()}
    for one in bad:
        entry = BY_NAME.get(one["kind"])
        if one["kind"] == "event" or entry is None or entry.table in done.errors:
            continue
        made = orjson.loads(json.dumps(one["made"]))
        is_landed = isinstance(made, dict) and isinstance(made.get("id"), str) and made["id"] in ids[entry.table]
        content = orjson.dumps(made, option=orjson.OPT_SORT_KEYS)[:CONTENT_LIMIT]
        assert is_landed or content in kept, one
    return len(bad)


def play(workspace: Workspace, folder: Path, seed: int, share: float, purposes: Iterable[str]) -> int:
    market = small_market(folder / "market")
    log = folder / "broken.jsonl"
    with served(market, rate_limit=0) as double, breaking(double.base_url, log, seed=seed, share=share) as api_base:
        first = pull(workspace, double.api_key, api_base)
        inputs = check_accounts(workspace, market, first, log)
        assert len(first.errors) <= 3, first.errors
        play_on(market)
        show(market, double)
        pull(workspace, double.api_key, api_base)
    load_for(workspace, purposes)
    print(f"{inputs} broken objects in the first pass")
    return inputs


@pytest.mark.slow
def test_broken_objects_are_landed_as_they_are_or_set_aside(home: Workspace, tmp_path: Path) -> None:
    assert play(home, tmp_path, seed=1, share=0.2, purposes=["fraud"]) > 200


@pytest.mark.endurance
@pytest.mark.parametrize("seed", range(2, 8))
def test_thousands_of_broken_objects_are_accounted_for(home: Workspace, tmp_path: Path, seed: int) -> None:
    assert play(home, tmp_path, seed=seed, share=0.4, purposes=load_policy().purposes) > 500


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(11, 14))
def test_objects_of_another_shape_than_the_policys_stop_their_table_alone(
    home: Workspace, tmp_path: Path, seed: int
) -> None:
    market = small_market(tmp_path / "market")
    log = tmp_path / "broken.jsonl"
    shapes = stripe_shapes(load_policy())
    with served(market, rate_limit=0) as double:
        with breaking(double.base_url, log, seed=seed, share=0.03) as api_base:
            first = pull(home, double.api_key, api_base, shapes)
        assert first.errors
        assert set(first.errors) < set(first.types)
        assert all("any more" in error for error in first.errors.values())
        with open_landing(home) as landing:
            found = landed(home, landing)
        spoilt = {one["id"] for one in broken(log)}
        for entry in BY_NAME.values():
            if entry.nested is None and entry.table not in first.errors:
                assert market.truth()[entry.table].keys() - spoilt <= found[entry.table].keys(), entry.table
        assert pull(home, double.api_key, double.base_url, shapes).errors == {}


@pytest.mark.slow
def test_broken_answers_stop_their_table_alone_and_are_mended_by_the_next_pass(home: Workspace, tmp_path: Path) -> None:
    market = small_market(tmp_path / "market")
    log = tmp_path / "broken.jsonl"
    with served(market, rate_limit=0) as double:
        with breaking(double.base_url, log, seed=3, share=0.0, answers=0.3) as api_base:
            first = pull(home, double.api_key, api_base)
        assert first.errors
        assert set(first.errors) < set(first.types)
        second = pull(home, double.api_key, double.base_url)
    assert second.errors == {}
    assert check_accounts(home, market, second, log) == 0
