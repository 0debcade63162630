"""The command: what is wrong is one clear line and exit code 1."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from storage import Home, exclusive_run

LEII = Path(sys.executable).with_name("leii")


def leii(*arguments: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(LEII.parent), "HOME": str(folder), **settings}
    return subprocess.run(
        [str(LEII), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, str]:
    """Settings of the right form that lead nowhere."""
    (tmp_path / "events").mkdir()
    return {
        "LEII_APP_DB_DSN": "postgresql://leii:hemmelig4711@127.0.0.1:1/leii",
        "LEII_STRIPE_API_KEY": "sk_test_x",
        "LEII_STRIPE_API_BASE": "http://127.0.0.1:1",
        "LEII_EVENTS_ROOT": str(tmp_path / "events"),
    }


def test_help_names_every_command(tmp_path: Path) -> None:
    done = leii("--help", folder=tmp_path)
    assert done.returncode == 0
    commands = (
        "run",
        "erase",
        "publish",
        "status",
        "policy",
        "verify-certificate",
        "keys",
        "notebook",
        "dashboard",
        "demo",
    )
    assert [name for name in commands if name not in done.stdout] == []


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    code = "import sys, orchestration.cli; print([m for m in ('dagster', 'dbt', 'polars', 'pyarrow', 'stripe') if m in sys.modules])"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["run"], "LEII_APP_DB_DSN"),
        (["erase"], "LEII_APP_DB_DSN"),
        (["status"], "nothing is in"),
        (["policy", "--purpose", "advertising"], "no purpose 'advertising'"),
        (["verify-certificate", "x.json", "--public-key", "y.pem"], "not a certificate"),
        (["notebook"], "name a purpose"),
        (["notebook", "advertising"], "no notebook for 'advertising'"),
        (["dashboard"], "run `leii run`"),
    ],
)
def test_a_refusal_is_a_message_without_a_traceback(tmp_path: Path, arguments: list[str], reason: str) -> None:
    done = leii(*arguments, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("leii: ")
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_a_refused_run_leaves_nothing_behind(tmp_path: Path) -> None:
    leii("run", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_refused_while_another_holds_the_home(tmp_path: Path, sources: dict[str, str]) -> None:
    with exclusive_run(Home(tmp_path / ".leii")):
        done = leii("run", folder=tmp_path, **sources)
    assert done.returncode == 1
    assert "another run holds" in done.stderr
    assert "--wait" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_policy_is_whole(tmp_path: Path) -> None:
    done = leii("policy", "--check", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the policy is whole" in done.stdout


def test_the_policy_says_who_gets_what_and_why(tmp_path: Path) -> None:
    text = leii("policy", "--purpose", "fraud", folder=tmp_path).stdout
    assert "GDPR art. 6(1)(f)" in text
    assert "fraud_desk" in text
    content = json.loads(leii("policy", "--json", folder=tmp_path).stdout)
    assert content["fraud"]["tables"]["app_db.account"]["email"]["treatment"] == "pseudonym"
    assert "email" not in content["matching"]["tables"]["app_db.account"]


def test_a_keyring_is_made_once_and_never_overwritten(tmp_path: Path) -> None:
    first = leii("keys", "create", folder=tmp_path)
    assert first.returncode == 0, first.stderr
    file = tmp_path / ".leii" / "keyring.json"
    content = file.read_bytes()
    again = leii("keys", "create", folder=tmp_path)
    assert again.returncode == 1
    assert "never overwritten" in again.stderr
    assert file.read_bytes() == content
