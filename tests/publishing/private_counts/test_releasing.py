"""A month of a count is told once and stands; it is paid for before; what cannot be paid is said and not told."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration.budget_page import read_budget
from orchestration.settings import load_settings
from pseudonymisation.policy.private_counts import PrivateCounts
from publishing.copies import PublishedCopy, publish_purpose
from publishing.private_counts.ledger import read_ledger
from publishing.readers import open_published
from storage import Workspace, attached
from tests.publishing.private_counts.by_hand import BOOKING, PURPOSE, REQUESTING, edition_of, fill, manifest_in, wanted

Publish = Callable[..., PublishedCopy]
LARGE = (1, "OSLO", "2026-10-01", 400, 90)


@pytest.fixture
def publish(workspace: Workspace, tmp_path: Path) -> Publish:
    manifest = manifest_in(tmp_path)

    def now(counts: PrivateCounts | None, month: int = 10) -> PublishedCopy:
        at = replace(workspace, now=edition_of(month))
        return publish_purpose(at, PURPOSE, manifest, private_counts=counts)

    return now


def told(
    workspace: Workspace, columns: str = "count_name, category_id, municipality, month_start, customers"
) -> list[Any]:
    with open_published(workspace.home, workspace.keyring, PURPOSE) as con:
        return con.execute(f"SELECT {columns} FROM marts.private_count ORDER BY ALL").fetchall()


def released(workspace: Workspace) -> list[Any]:
    with open_published(workspace.home, workspace.keyring, PURPOSE) as con:
        return con.execute(
            "SELECT count_name, month_start, ledger_entry FROM marts.private_count_release ORDER BY ALL"
        ).fetchall()


def test_nothing_is_told_or_spent_unless_it_is_asked_for(workspace: Workspace, publish: Publish) -> None:
    fill(workspace, LARGE)
    assert set(publish(None).tables) == {"agg"}
    assert not workspace.home.private_counts_ledger.exists()


def test_counts_are_told_with_noise_and_their_cost_once_the_edition_is_due(
    workspace: Workspace, publish: Publish
) -> None:
    fill(workspace, LARGE, (2, "BERGEN", "2026-10-01", 300, 60), (3, "OSLO", "2026-11-01", 300, 60))
    copy = publish(wanted())
    assert (copy.tables["private_count"], copy.tables["private_count_release"], copy.notes) == (4, 2, ())
    found = told(workspace)
    assert [row[:3] for row in found] == [
        ("customers_booking", 1, "OSLO"), ("customers_booking", 2, "BERGEN"),
        ("customers_requesting", 1, "all"), ("customers_requesting", 2, "all"),
    ]  # fmt: skip
    for (*_, month, customers), exact in zip(found, (400, 300, 400, 300), strict=True):
        assert month == date(2026, 10, 1)
        assert abs(customers - exact) < 60  # 30 times the scale: but for once in 10^12
    assert told(workspace, "DISTINCT epsilon, delta, mechanism") == [(2.0, 0.0001, "laplace_threshold")]
    assert [(one.entry, one.count) for one in read_ledger(workspace.home)] == [
        (1, "customers_requesting"), (2, "customers_booking"),
    ]  # fmt: skip


def test_a_cell_of_too_few_customers_or_providers_is_never_told(workspace: Workspace, publish: Publish) -> None:
    fill(workspace, LARGE, (2, "OSLO", "2026-10-01", 9, 9), (3, "OSLO", "2026-10-01", 400, 4))
    publish(wanted())
    assert {row[:2] for row in told(workspace)} == {
        ("customers_requesting", 1), ("customers_requesting", 3), ("customers_booking", 1),
    }  # fmt: skip


def test_a_release_stands_whatever_happens_behind_it_and_costs_nothing_again(
    workspace: Workspace, publish: Publish
) -> None:
    fill(workspace, LARGE)
    publish(wanted())
    first, ledger = told(workspace), workspace.home.private_counts_ledger.read_bytes()
    fill(workspace, (1, "OSLO", "2026-10-01", 399, 90))
    publish(wanted())
    workspace.home.warehouse_file(PURPOSE).unlink()
    fill(workspace, (1, "OSLO", "2026-10-01", 1000, 90))
    publish(wanted())
    publish(None)
    assert told(workspace) == first
    assert workspace.home.private_counts_ledger.read_bytes() == ledger


def test_a_release_of_which_no_cell_passes_is_not_drawn_again(workspace: Workspace, publish: Publish) -> None:
    fill(workspace)
    publish(wanted())
    publish(wanted())
    assert told(workspace) == []
    assert len(released(workspace)) == len(read_ledger(workspace.home)) == 2


def test_what_the_budget_does_not_cover_is_said_and_not_told(workspace: Workspace, publish: Publish) -> None:
    fill(workspace, LARGE, (1, "OSLO", "2026-11-01", 400, 90))
    counts = wanted(REQUESTING, releases=1)
    assert publish(counts, month=11).notes == (
        "market_trends: customers_requesting of 2026-11 is not released: what is left of 2026's privacy budget does not "
        "suffice (`leii status --budget`)",
    )
    assert [row[3] for row in told(workspace)] == [date(2026, 10, 1)]
    assert len(read_ledger(workspace.home)) == 1
    publish(wanted(REQUESTING, releases=2), month=11)
    assert [row[3] for row in told(workspace)] == [date(2026, 10, 1), date(2026, 11, 1)]


@pytest.mark.parametrize("fault", ["lost", "older", "damaged"])
def test_without_its_ledger_nothing_is_released_and_what_was_told_stands(
    workspace: Workspace, publish: Publish, fault: str
) -> None:
    fill(workspace, LARGE, (1, "OSLO", "2026-11-01", 400, 90))
    publish(wanted(REQUESTING))
    older = workspace.home.private_counts_ledger.read_bytes()
    publish(wanted())
    first = told(workspace)
    if fault == "lost":
        workspace.home.private_counts_ledger.unlink()
    else:
        workspace.home.private_counts_ledger.write_bytes(older if fault == "older" else b"{}\n")
    (note,) = publish(wanted(), month=11).notes
    assert "no noisy counts are released" in note
    assert told(workspace) == first


def test_a_lost_published_folder_costs_again(workspace: Workspace, publish: Publish) -> None:
    fill(workspace, LARGE)
    publish(wanted(REQUESTING, releases=2))
    for path in workspace.home.published_folder(PURPOSE).iterdir():
        path.unlink()
    publish(wanted(REQUESTING, releases=2))
    assert released(workspace) == [("customers_requesting", date(2026, 10, 1), 2)]
    for path in workspace.home.published_folder(PURPOSE).iterdir():
        path.unlink()
    assert len(publish(wanted(REQUESTING, releases=2)).notes) == 1
    assert len(read_ledger(workspace.home)) == 2


def test_cells_told_by_a_lower_limit_are_told_no_longer_and_not_drawn_anew(
    workspace: Workspace, publish: Publish
) -> None:
    fill(workspace, LARGE)
    current = publish(wanted()).path
    key = workspace.keyring.purpose_key(PURPOSE, "published")
    with workspace.connect() as con, attached(con, current, "c", key):
        con.execute("UPDATE c.marts.private_count_release SET min_providers = 3 WHERE count_name = 'customers_booking'")
        con.execute(
            "UPDATE c.marts.private_count_release SET min_customers = 3 WHERE count_name <> 'customers_booking'"
        )
    publish(wanted())
    assert told(workspace) == []
    assert len(read_ledger(workspace.home)) == 2


def test_a_release_does_not_outlive_the_purposes_retention(
    workspace: Workspace, tmp_path: Path, publish: Publish
) -> None:
    fill(workspace, LARGE)
    publish(wanted())
    later = replace(workspace, now=workspace.now + timedelta(days=1825 + 60))
    publish_purpose(later, PURPOSE, manifest_in(tmp_path), private_counts=wanted(releases=1000))
    assert date(2026, 10, 1) not in {month for _, month, _ in released(workspace)}
    assert len([one for one in read_ledger(workspace.home) if one.month == date(2026, 10, 1)]) == 2


def test_the_budget_page_tells_what_is_spent_and_left(
    workspace: Workspace, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(workspace, LARGE)
    publish(wanted(REQUESTING, BOOKING))
    monkeypatch.setenv("LEII_HOME", str(workspace.home.root))
    monkeypatch.setenv("LEII_NOW", edition_of(10).isoformat())
    found = read_budget(load_settings())
    assert found["is_on"] is False
    assert [(one["year"], one["releases"], one["epsilon_spent"]) for one in found["years"]] == [(2026, 2, 4.0)]
    assert found["years"][0]["epsilon_left"] == found["budget_per_year"]["epsilon"] - 4


@pytest.mark.slow
def test_killed_at_any_step_nothing_is_told_that_was_not_paid_for(workspace: Workspace, tmp_path: Path) -> None:
    fill(workspace, LARGE)
    run = subprocess.run(
        [sys.executable, "-m", "tests.publishing.private_counts.releases_killed", str(workspace.home.root), str(tmp_path), "47"],
        cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    kills, lost = (int(word) for word in run.stdout.split())
    assert kills >= 6
    assert lost >= 1  # some were paid for and never told
