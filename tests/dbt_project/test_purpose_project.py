"""How the tests build: what dbt warns of is seen, whether it parses or builds."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.dbt_project.purpose_project import PROJECT, PurposeProject

pytestmark = pytest.mark.slow

ONE_MODEL = ["stg_market_trends__service_category"]
DESCRIBES_NOTHING = "models: [{name: no_such_model, description: One row per nothing.}]\n"


def test_what_dbt_warns_of_while_it_parses_is_seen(
    new_purpose: Callable[[str], PurposeProject], tmp_path: Path
) -> None:
    copy, project = tmp_path / "project", new_purpose("market_trends")
    shutil.copytree(PROJECT, copy)
    assert project.build(select=ONE_MODEL).ok
    (copy / "models" / "market_trends" / "_more.yml").write_text(DESCRIBES_NOTHING)
    warned = project.build(project=copy, select=ONE_MODEL)
    assert warned.succeeded
    assert "no_such_model" in warned.output
    assert not warned.ok
