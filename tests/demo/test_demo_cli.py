"""`leii demo generate | postgres | advance`, as a user runs them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from demo.cli import app
from tests.demo.conftest import World

ROOT = Path(__file__).parents[2]


def test_a_size_that_is_none_is_refused_with_those_that_are(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["generate", "--out", str(tmp_path / "w"), "--size", "huge"])
    assert result.exit_code == 2
    assert "small" in result.output
    assert not (tmp_path / "w").exists()


def test_a_clock_that_is_none_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["generate", "--out", str(tmp_path / "w"), "--now", "yesterday"])
    assert result.exit_code == 2
    assert "2026-11-15T06:00:00Z" in result.output


@pytest.mark.slow
def test_the_small_world_has_its_sizes(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["generate", "--out", str(tmp_path / "w"), "--seed", "5", "--size", "small"])
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "w" / "world.json").read_text())
    assert content["spec"]["events"] == 100_000
    counts = content["counts"]
    assert (counts["app.account"], counts["app.booking"]) == (2_000, 10_000)
    assert 100_000 <= counts["events"] <= 102_000


def test_postgres_loads_a_world_prints_its_dsns_and_stops_when_told_to_and_advance_uses_it(
    world: World, tmp_path: Path
) -> None:
    copy = tmp_path / "world"
    subprocess.run(["cp", "-r", str(world.folder), str(copy)], check=True)
    command = [sys.executable, "-m", "demo.cli", "postgres", "--folder", str(tmp_path / "pg"), "--world", str(copy)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            dsns = dict(process.stdout.readline().split() for _ in range(3))
            assert set(dsns) == {"admin", "reader", "pipeline"}
            with psycopg.connect(dsns["reader"]) as connection:
                assert connection.execute("select count(*) from app.account").fetchone() == (60,)
            result = CliRunner().invoke(app, ["advance", "--world", str(copy), "--dsn", dsns["admin"], "--days", "1"])
            assert result.exit_code == 0, result.output
            assert "2026-11-16T06:00:00" in result.output
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsns["reader"])


def test_advancing_what_is_no_world_says_how_to_make_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["advance", "--world", str(tmp_path), "--dsn", "postgresql://nobody@127.0.0.1:1/none"]
    )
    assert result.exit_code == 2
    assert "demo generate" in " ".join(result.output.replace("│", "").split())
