"""`leii policy --check` and `--map` as they are called: without a LEII_HOME, on one with strays, and on one that was run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.coverage_check import project_state
from pseudonymisation.loading import open_purpose
from storage import Workspace
from tests.integration.conftest import Town


def leii(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEII_")}
    return subprocess.run(
        [str(Path(sys.executable).with_name("leii")), *arguments],
        env={**kept, "LEII_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_without_a_home_the_policy_and_the_models_are_checked_and_none_is_made(tmp_path: Path) -> None:
    done = leii("policy", "--check", "--json", home=tmp_path / "home")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["is_covered"] is True
    assert not (tmp_path / "home").exists()


def test_a_stray_table_and_a_stray_file_fail_the_check(workspace: Workspace) -> None:
    with workspace.connect() as con, open_purpose(con, workspace, "fraud"):
        con.execute("CREATE TABLE purpose.src.leftover (a INTEGER)")
    (workspace.home.root / "people.csv").write_text("")
    done = leii("policy", "--check", home=workspace.home.root)
    assert done.returncode == 1
    assert "warehouse/fraud: table src.leftover is named by no rule and no model" in done.stderr
    assert "people.csv: a file of no kind" in done.stderr
    assert "Traceback" not in done.stderr


def test_databases_without_their_keys_are_not_taken_for_checked(workspace: Workspace) -> None:
    workspace.home.default_keyring_file.unlink()
    (workspace.home.root / "run.lock").touch()
    assert leii("policy", "--check", home=workspace.home.root).returncode == 0
    workspace.home.held_file.parent.mkdir()
    workspace.home.held_file.touch()
    done = leii("policy", "--check", home=workspace.home.root)
    assert done.returncode == 1
    assert "what is in its databases is not known: no keyring" in done.stderr


def test_models_are_compiled_anew_when_any_file_that_they_depend_on_changes(tmp_path: Path) -> None:
    names = ("models/a.sql", "models/b/_b.yml", "macros/m.sql", "seeds/s.csv", "dbt_project.yml", "profiles.yml")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("as it was")
    states = [project_state(tmp_path)]
    for name in names:
        (tmp_path / name).write_text("as it is ")
        states.append(project_state(tmp_path))
    (tmp_path / "models" / "a.sql").rename(tmp_path / "models" / "c.sql")
    states.append(project_state(tmp_path))
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "manifest.json").write_text("dbt's own")
    assert len(set(states)) == len(names) + 2
    assert project_state(tmp_path) == states[-1]


def test_the_map_fits_a_screen_and_names_where_a_column_ends(tmp_path: Path) -> None:
    page = leii("policy", "--map", "--purpose", "fraud", home=tmp_path / "home").stdout
    assert max(len(line) for line in page.splitlines()) <= 120
    assert "fraud: read by fraud_desk, and the app (app.fraud_flag); kept 730 days" in page
    content = json.loads(leii("policy", "--map", "--json", home=tmp_path / "home").stdout)
    email = content["sources"]["app_db.account"]["columns"]["email"]["uses"]["fraud"]
    assert "marts.fct_flag" in email["published"]
    assert email["readers"] == ["fraud_desk"]
    assert "klarna" in content["sources"]["app_db.account"]["columns"]["email"]["recipients"]
    assert content["recipients"]["device_identification"]["gets"] == ["login.device_id", "login.ip"]
    assert content["models"]["matching"]["marts.fct_booking"]["erasure"] == "by_key"


@pytest.mark.slow
def test_everything_that_a_run_leaves_is_named(town: Town) -> None:
    assert "an erasure reaches every table" in town.leii("policy", "--check").stdout
