"""Which counts are published with noise: the project's own are whole, and what is not is refused with its place."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from pseudonymisation.policy.private_counts import FILE, load_private_counts, read_private_counts
from pseudonymisation.policy.reading import PolicyError, load_policy, policy_folder
from publishing.private_counts.releasing import PURPOSE


def test_the_projects_own_last_a_year_and_belong_to_a_purpose() -> None:
    found = load_private_counts()
    assert found.budget_per_year.epsilon >= 12 * sum(one.cost.epsilon for one in found.counts.values())
    assert found.budget_per_year.delta >= 12 * sum(one.cost.delta for one in found.counts.values())
    assert PURPOSE in load_policy().purposes


def test_a_delta_is_read_however_it_is_written(tmp_path: Path) -> None:
    text = (policy_folder() / FILE).read_text()
    (tmp_path / FILE).write_text(text.replace("delta: 0.000001", "delta: 1e-6"))
    assert {one.cost.delta for one in read_private_counts(tmp_path).counts.values()} == {Decimal("0.000001")}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda c: c["counts"]["customers_booking"].update(epsilon=0), "counts.customers_booking.epsilon"),
        (lambda c: c["counts"]["customers_booking"].update(epsilon=11), "counts.customers_booking.epsilon"),
        (lambda c: c["counts"]["customers_booking"].update(delta=0.01), "counts.customers_booking.delta"),
        (lambda c: c["counts"]["customers_booking"].pop("delta"), "counts.customers_booking.delta"),
        (lambda c: c["counts"]["customers_booking"].update(by=["municipality"]), "counts.customers_booking.by"),
        (lambda c: c["counts"]["customers_booking"].update(of="search"), "counts.customers_booking.of"),
        (lambda c: c["counts"]["customers_booking"].update(most_cells_per_person=0), "most_cells_per_person"),
        (lambda c: c["counts"]["customers_booking"].update(noise="none"), "counts.customers_booking.noise"),
        (lambda c: c["counts"].update({"Bad name": c["counts"]["customers_booking"]}), "Bad name"),
        (lambda c: c["counts"].clear(), "counts"),
        (lambda c: c.update(first_month="2026-01-02"), "first_month"),
        (lambda c: c["budget_per_year"].update(epsilon=-1), "budget_per_year.epsilon"),
        (lambda c: c.pop("budget_per_year"), "budget_per_year"),
    ],
)
def test_what_is_not_whole_is_refused_with_its_place(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], place: str
) -> None:
    content = yaml.safe_load((policy_folder() / FILE).read_text())
    change(content)
    (tmp_path / FILE).write_text(yaml.safe_dump(content))
    with pytest.raises(PolicyError, match=place):
        read_private_counts(tmp_path)
