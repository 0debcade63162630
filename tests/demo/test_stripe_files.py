"""The folder that the double serves: how it is read, refused and read again."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from typer.testing import CliRunner

from demo import stripe_lines
from demo.stripe_cli import StripeDouble, start_stripe_double, stripe_command
from demo.stripe_store import close_world, find_object, read_world
from storage.errors import LeiiError
from tests.demo.stripe_examples import DAY, NOW, SHOP, TODAY, Object, example, marketplace, write_objects


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("objects")
    write_objects(made, marketplace())
    (made / "clock.json").write_text(json.dumps({"now": NOW.isoformat()}))
    return made


@pytest.fixture(scope="module")
def double(folder: Path) -> Iterator[StripeDouble]:
    with start_stripe_double(folder, rate_limit=0) as running:
        yield running


@pytest.fixture
def http(double: StripeDouble) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=double.base_url, headers={"Authorization": f"Bearer {double.api_key}"}) as session:
        yield session


def eventually(asked: Callable[[], Any], expected: Any) -> None:
    """Passes once the answer is as expected, and fails when it is not within ten seconds."""
    until = time.monotonic() + 10
    while (answer := asked()) != expected and time.monotonic() < until:
        time.sleep(0.05)
    assert answer == expected


def ids(http: httpx.Client, path: str) -> list[str]:
    return [item["id"] for item in http.get(path).json().get("data", [])]


def append(folder: Path, *objects: Object) -> None:
    for made in objects:
        with (folder / f"{made['object']}.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(made) + "\n")


def command(*arguments: str) -> Any:
    app = typer.Typer()
    app.command()(stripe_command)
    return CliRunner().invoke(app, list(arguments))


def test_a_changed_file_is_noticed_without_a_restart(folder: Path, http: httpx.Client) -> None:
    assert ids(http, "/v1/transfers") == ["tr_1", "tr_2"]
    append(folder, example("transfer", "tr_3", destination=SHOP, created=TODAY))
    eventually(lambda: ids(http, "/v1/transfers"), ["tr_3", "tr_1", "tr_2"])
    write_objects(folder, [example("transfer", "tr_4")])
    eventually(lambda: ids(http, "/v1/transfers"), ["tr_4"])


def test_the_last_line_about_an_object_holds(folder: Path, http: httpx.Client) -> None:
    append(folder, example("customer", "cus_2", email="new@example.com"))
    eventually(lambda: ids(http, "/v1/customers?email=new@example.com"), ["cus_2"])
    assert ids(http, "/v1/customers?email=second@example.com") == []
    append(folder, {"id": "cus_2", "object": "customer", "deleted": True})
    eventually(lambda: http.get("/v1/customers/cus_2").json(), {"id": "cus_2", "object": "customer", "deleted": True})
    assert ids(http, "/v1/customers") == ["cus_1"]


def test_a_new_file_of_any_name_is_served_by_the_object_in_its_lines(folder: Path, http: httpx.Client) -> None:
    mixed = [example("review", "prv_2", created=TODAY), example("refund", "re_3", charge="ch_1")]
    (folder / "anything.jsonl").write_text("\n".join(map(json.dumps, mixed)))
    eventually(lambda: ids(http, "/v1/reviews"), ["prv_2", "prv_1"])
    assert ids(http, "/v1/refunds?charge=ch_1") == ["re_3"]


def test_clock_json_moves_the_clock(folder: Path, http: httpx.Client) -> None:
    assert ids(http, "/v1/events") == ["evt_1", "evt_2", "evt_3"]
    (folder / "clock.json").write_text(json.dumps({"now": (NOW + timedelta(days=2)).isoformat()}))
    eventually(lambda: ids(http, "/v1/events"), ["evt_1", "evt_2"])
    (folder / "clock.json").write_text(json.dumps({"now": (NOW - timedelta(days=2)).isoformat()}))
    eventually(lambda: ids(http, "/v1/events")[-1], "evt_old")


def test_reload_reads_the_folder_at_once(folder: Path, http: httpx.Client) -> None:
    append(folder, example("dispute", "dp_9"))
    assert httpx.post(f"{http.base_url}/_double/reload").json()["types"]["dispute"] == 3
    assert http.get("/v1/disputes/dp_9").status_code == 200


def test_a_file_broken_while_it_is_served_stops_every_answer_until_it_is_mended(
    folder: Path, http: httpx.Client
) -> None:
    whole = (folder / "payout.jsonl").read_bytes()
    (folder / "payout.jsonl").write_bytes(whole + b'{"id": "po_secret"')
    eventually(lambda: http.get("/v1/charges/ch_1").status_code, 500)
    message = http.get("/v1/charges/ch_1").json()["error"]["message"]
    assert "payout.jsonl, line 4" in message
    assert "po_secret" not in message
    (folder / "payout.jsonl").write_bytes(whole)
    eventually(lambda: http.get("/v1/charges/ch_1").status_code, 200)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ('{"id": "ch_secret", "object": "charge", "created": 5', "is no JSON"),
        ('{"id": "ch_secret"} {"id": "ch_other"}', "is no JSON"),
        ('["ch_secret"]', "is no JSON object"),
        ('{"id": "ch_secret", "object": "charge", "created": "ch_secret"}', "a field has the wrong type"),
        ('{"object": "charge", "created": 5, "description": "ch_secret"}', "has no `id`"),
        ('{"id": "ch_secret", "created": 5}', "has no `object`"),
        ('{"id": "ch_secret", "object": "charge"}', "has no `created`"),
    ],
)
@pytest.mark.parametrize("chunk_bytes", [700, stripe_lines.CHUNK_BYTES])
def test_a_broken_line_is_refused_with_file_and_line_and_not_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str, reason: str, chunk_bytes: int
) -> None:
    monkeypatch.setattr(stripe_lines, "CHUNK_BYTES", chunk_bytes)
    good = [json.dumps(example("review", f"prv_{number}")) for number in range(40)]
    later = [] if reason.startswith("has no") else ["broken too"]
    (tmp_path / "charge.jsonl").write_text("\n".join([*good[:20], "", broken, *good[20:], *later]) + "\n")
    refused = command("--objects", str(tmp_path))
    assert refused.exit_code == 1
    assert f"charge.jsonl, line 22: {reason}" in refused.output
    assert "ch_secret" not in refused.output


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com"])
def test_only_loopback_is_served(folder: Path, host: str) -> None:
    refused = command("--objects", str(folder), "--host", host)
    assert refused.exit_code == 1
    assert "loopback only" in refused.output


def test_a_wrong_folder_or_clock_is_refused(tmp_path: Path, folder: Path) -> None:
    assert "is no folder" in command("--objects", str(tmp_path / "nowhere")).output
    assert "holds no object file" in command("--objects", str(tmp_path)).output
    assert "--now is 'today'" in command("--objects", str(folder), "--now", "today").output


def test_a_double_that_cannot_start_says_why_to_its_caller(tmp_path: Path) -> None:
    with pytest.raises(LeiiError, match="holds no object file"):
        start_stripe_double(tmp_path)


@pytest.mark.parametrize("chunk_bytes", [100, 5000, stripe_lines.CHUNK_BYTES])
def test_chunks_of_any_size_find_every_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk_bytes: int
) -> None:
    """Lines longer than a chunk, blank ones, other line ends and a last line without an end."""
    monkeypatch.setattr(stripe_lines, "CHUNK_BYTES", chunk_bytes)
    made = [example("review", f"prv_{number}", reason="ø" * (number * 7)) for number in range(60)]
    text = "\r\n".join(json.dumps(item, ensure_ascii=False) for item in made[:30])
    text += "\n\n   \n" + "\n".join(json.dumps(item) for item in made[30:])
    (tmp_path / "all.jsonl").write_bytes(text.encode())
    world = read_world(tmp_path)
    try:
        assert world.objects == 60
        assert [find_object(world, ["review"], item["id"]) for item in made] == made
    finally:
        close_world(world)


def test_the_command_prints_one_line_once_it_is_ready_and_ends_when_told(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "demo.stripe_cli", "--objects", str(folder), "--now", "2026-11-15T06:00:00Z"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(stripe_lines.__file__).parents[1])},
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = line.removeprefix("Stripe double: ").strip()
        assert address.startswith("http://127.0.0.1:")
        assert httpx.get(f"{address}/_double/state").json()["types"]["account"] == 3
        process.terminate()
        assert process.stdout.read() == ""


def test_the_double_ends_with_the_process_that_started_it(folder: Path) -> None:
    code = "import sys; from pathlib import Path; from demo.stripe_cli import start_stripe_double as start; "
    code += "print(start(Path(sys.argv[1])).base_url, flush=True); import os; os._exit(9)"
    environment = os.environ | {"PYTHONPATH": str(Path(stripe_lines.__file__).parents[1])}
    starting = [sys.executable, "-c", code, str(folder)]
    starter = subprocess.run(starting, check=False, capture_output=True, text=True, env=environment)
    address = starter.stdout.strip()

    def answers() -> bool:
        try:
            return httpx.get(f"{address}/_double/state").status_code == 200
        except httpx.TransportError:
            return False

    eventually(answers, False)
    assert address.startswith("http://127.0.0.1:")


def test_events_older_than_thirty_days_are_gone_even_by_id(folder: Path, http: httpx.Client) -> None:
    (folder / "clock.json").write_text(json.dumps({"now": NOW.isoformat()}))
    eventually(lambda: http.get("/v1/events/evt_old").status_code, 404)
    append(folder, example("event", "evt_edge", created=TODAY - 30 * DAY))
    eventually(lambda: http.get("/v1/events/evt_edge").status_code, 200)


def test_a_folder_that_does_not_tell_payouts_refuses_that_filter(folder: Path, http: httpx.Client) -> None:
    assert ids(http, "/v1/balance_transactions?payout=po_1") == ["txn_0"]
    write_objects(folder, [example("balance_transaction", "txn_9")])
    eventually(lambda: http.get("/v1/balance_transactions?payout=po_1").status_code, 400)
    assert ids(http, "/v1/balance_transactions") == ["txn_9"]
