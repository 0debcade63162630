"""dbt's profile: what it says holds too for a build that needs more memory than there is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from orchestration.dbt_runs import project_folder
from storage.extensions import install_extensions

SORTED = "select value, row_number() over (order by hash(value)) as position from range(3000000) as r(value)"


@pytest.mark.slow
def test_a_build_that_spills_comes_to_its_end(tmp_path: Path) -> None:
    profile = yaml.safe_load((project_folder() / "profiles.yml").read_text())
    profile["leii"]["outputs"]["matching"]["config_options"]["memory_limit"] = "60MB"
    (tmp_path / "profiles.yml").write_text(yaml.safe_dump(profile))
    (tmp_path / "dbt_project.yml").write_text("name: spilling\nprofile: leii\n")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "sorted.sql").write_text(f"{{{{ config(materialized='table') }}}}\n{SORTED}")
    install_extensions(tmp_path / "extensions")
    told = {
        "LEII_DBT_FILE": str(tmp_path / "built.duckdb"),
        "LEII_DBT_EXTENSIONS": str(tmp_path / "extensions"),
        "LEII_DBT_TEMPORARY": str(tmp_path / "spilled"),
        "DBT_ENV_SECRET_LEII_KEY": "not-a-key-of-anybody",
    }
    build = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", "build", "--project-dir", tmp_path, "--profiles-dir", tmp_path],
        env=os.environ | told, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert build.returncode == 0, build.stdout
    assert "Completed successfully" in build.stdout
