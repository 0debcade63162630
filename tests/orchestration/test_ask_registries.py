"""The step of a run that asks Enhetsregisteret: only where its address is set, and what it says of itself."""

from pathlib import Path

import pytest

from orchestration import steps
from orchestration.context import Run, open_run
from tests.pseudonymisation.conftest import account_id, market, policy, workspace
from tests.pseudonymisation.registries.conftest import register
from tests.pseudonymisation.registries.test_asking import Town, postgres, town

__all__ = ["market", "policy", "postgres", "register", "town", "workspace"]
pytestmark = pytest.mark.slow


@pytest.fixture
def settings(town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEII_HOME", str(tmp_path / "run"))
    monkeypatch.setenv("LEII_APP_DB_DSN", town.postgres.pipeline_dsn)
    monkeypatch.setenv("LEII_NOW", town.market.workspace.now.isoformat())
    return monkeypatch


def run_steps() -> Run:
    run = open_run(needs=("app_db_dsn",))
    steps.pull_app_db(run)
    steps.ask_registries(run)
    return run


def test_without_an_address_nobody_is_asked(settings: pytest.MonkeyPatch, town: Town) -> None:
    assert [stage.name for stage in run_steps().report.stages] == ["read"]
    assert town.register.asked() == []


def test_with_an_address_it_is_asked_and_counted(settings: pytest.MonkeyPatch, town: Town) -> None:
    settings.setenv("LEII_ENHETSREGISTERET_API_BASE", town.register.api_base)
    stage = run_steps().report.stages[-1]
    assert (stage.name, stage.part, stage.state) == ("ask", "enhetsregisteret", "done")
    assert stage.counts == {"asked": 4, "answered": 4, "waiting": 0, "landed_again": 0}
    assert stage.warnings == []


def test_no_answer_is_a_warning_and_no_failure(settings: pytest.MonkeyPatch, town: Town) -> None:
    town.app("update app.provider_profile set org_number = null where account_id <> %s", account_id(1))
    settings.setenv("LEII_ENHETSREGISTERET_API_BASE", "http://127.0.0.1:9/api")
    stage = run_steps().report.stages[-1]
    assert stage.state == "done"
    assert "no answer about 1 of 1 numbers" in stage.warnings[0]
