"""The privacy officer's figures: from the policy, from real certificates, from a run's report."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboards import privacy
from pseudonymisation.erasure.certificate import issue_certificates
from pseudonymisation.policy.reading import load_policy
from storage import Home, Workspace
from storage.keyring import load_or_create

NOW = datetime(2026, 11, 15, 6, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    home = Home(tmp_path / "home")
    return Workspace(home=home, keyring=load_or_create(home.default_keyring_file, load_policy().purposes), now=NOW)


def issue(workspace: Workspace, certificate_id: str) -> Path:
    content = {
        "erased": [
            {"purpose": "fraud", "table": "app_db__login", "rows_deleted": 7, "rows_detached": 2},
            {"purpose": "matching", "table": "app_db__account", "rows_deleted": 1, "rows_detached": 0},
        ],
        "held": [{"purpose": "accounting", "table": "app_db__booking", "rows": 3, "statute": "bokføringsloven § 13"}],
        "held_until": "2031-12-31",
        "scanned": [{"layer": "warehouse", "purpose": "fraud", "tables": 4, "columns": 40, "survivors": 0}],
    }
    issue_certificates(workspace, [(certificate_id, content)])
    return next(workspace.home.certificates.glob(f"*-{certificate_id}.json"))


def test_a_certificate_is_a_row_of_its_sums(workspace: Workspace) -> None:
    issue(workspace, "0a1b2c3d-0000-4000-8000-000000000001")
    row = privacy.certificates(workspace.home).row(0, named=True)
    assert (row["rows_deleted"], row["rows_detached"], row["rows_held"], row["columns_scanned"]) == (8, 2, 3, 40)
    assert (row["number"], row["certificate"], str(row["held_until"])) == (1, "0a1b2c3d", "2031-12-31")


def test_a_whole_chain_is_found_whole(workspace: Workspace) -> None:
    for number in range(3):
        issue(workspace, f"0a1b2c3d-0000-4000-8000-00000000000{number}")
    assert privacy.check_chain(workspace.home) == privacy.ChainCheck(checked=3, problems=())


def test_a_certificate_that_was_changed_is_noticed_and_so_is_the_chain(workspace: Workspace) -> None:
    files = [issue(workspace, f"0a1b2c3d-0000-4000-8000-00000000000{number}") for number in range(3)]
    files[1].write_text(files[1].read_text().replace('"rows_deleted": 7', '"rows_deleted": 6'))
    found = privacy.check_chain(workspace.home)
    assert [number for number, _ in found.problems] == [2, 3]


def test_a_certificate_that_was_taken_out_is_noticed(workspace: Workspace) -> None:
    files = [issue(workspace, f"0a1b2c3d-0000-4000-8000-00000000000{number}") for number in range(3)]
    files[1].unlink()
    assert [number for number, _ in privacy.check_chain(workspace.home).problems] == [3]


def test_a_file_that_is_no_certificate_is_a_problem_and_no_crash(workspace: Workspace) -> None:
    path = issue(workspace, "0a1b2c3d-0000-4000-8000-000000000000")
    path.write_text("{}")
    assert privacy.certificates(workspace.home)["rows_deleted"].to_list() == [0]
    assert len(privacy.check_chain(workspace.home).problems) == 1


def test_every_treatment_of_the_policy_is_put_in_words() -> None:
    policy = load_policy()
    used = {t.name for table in policy.tables.values() for c in table.columns.values() for t in c.treatments.values()}
    assert used <= set(privacy.TREATMENTS)


def test_the_policys_pages_name_every_purpose_and_column() -> None:
    policy = load_policy()
    purposes = privacy.purposes(policy)
    assert purposes.height == len(policy.purposes)
    for name in policy.purposes:
        expected = sum(len(table.outputs(name)) for table in policy.tables_of(name))
        assert privacy.columns_of(policy, name).height == expected > 0


def test_how_requests_stand_comes_from_the_last_run(workspace: Workspace) -> None:
    assert privacy.requests(workspace.home) == privacy.Requests(total=None, by_state=None, as_of=None)
    stage = {"name": "tell", "part": "privacy_receipt", "state": "done", "counts": {"requests": 5}, "tables": {}}
    report = {"started_at": NOW.isoformat(), "stages": [stage]}
    (workspace.home.root / "last_run.json").write_text(json.dumps(report))
    assert privacy.requests(workspace.home) == privacy.Requests(total=5, by_state=None, as_of=NOW)
    stage["tables"] = {"done": 2, "waiting": 3}
    (workspace.home.root / "last_run.json").write_text(json.dumps(report))
    assert privacy.requests(workspace.home).by_state == {"done": 2, "waiting": 3}
    stage["state"] = "failed"
    (workspace.home.root / "last_run.json").write_text(json.dumps(report))
    assert privacy.requests(workspace.home).total is None


def test_a_published_copys_age_is_read_off_its_name_without_a_key(workspace: Workspace) -> None:
    folder = workspace.home.published_folder("fraud")
    folder.mkdir(parents=True)
    (folder / "20261114T060000Z-1.duckdb").write_bytes(b"x" * 2_000_000)
    (folder / "20261113T060000Z-1.duckdb").write_bytes(b"old")
    (folder / "current.duckdb").symlink_to("20261114T060000Z-1.duckdb")
    rows = {row["purpose"]: row for row in privacy.copies(workspace.home, load_policy(), NOW).to_dicts()}
    fraud = rows["Limiting misuse"]
    assert (fraud["built_at"], fraud["age"]) == (NOW - timedelta(days=1), "24 hours")
    assert (fraud["megabytes"], fraud["older_versions"]) == (2.0, 1)
    assert rows["Accounting"]["version"] == "none yet"
