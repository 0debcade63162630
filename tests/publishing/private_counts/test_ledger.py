"""What is spent is on the disk before anything is told, never beyond the budget, and a ledger that was changed is not believed."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from publishing.private_counts.ledger import BudgetExceededError, LedgerError, read_ledger, spend, spent_about
from storage import Home
from tests.publishing.private_counts.by_hand import COST, wanted

NOW = datetime(2026, 11, 15, tzinfo=UTC)
BUDGET = wanted(releases=3).budget_per_year


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def buy(home: Home, *months: date) -> None:
    spend(home, read_ledger(home), [("requesting", month, COST) for month in months], BUDGET, NOW)


def test_what_was_spent_is_read_back(home: Home) -> None:
    assert read_ledger(home) == ()
    buy(home, date(2026, 1, 1), date(2026, 2, 1))
    buy(home, date(2026, 3, 1))
    assert [(one.entry, one.month, one.spent_at, one.cost) for one in read_ledger(home)] == [
        (month, date(2026, month, 1), NOW, COST) for month in (1, 2, 3)
    ]
    assert spent_about(read_ledger(home), 2026) == BUDGET


def test_a_year_that_has_spent_its_budget_gets_no_more_and_another_has_its_own(home: Home) -> None:
    buy(home, date(2026, 1, 1), date(2026, 2, 1))
    before = home.private_counts_ledger.read_bytes()
    with pytest.raises(BudgetExceededError, match="2026's budget"):
        buy(home, date(2026, 3, 1), date(2026, 4, 1))
    assert home.private_counts_ledger.read_bytes() == before
    buy(home, date(2026, 3, 1), date(2027, 1, 1))
    assert spent_about(read_ledger(home), 2027) == COST


def test_tenths_add_up_to_a_whole(home: Home) -> None:
    tenth = type(COST)(epsilon=Decimal("0.1"), delta=Decimal("1e-7"))
    whole = type(COST)(epsilon=Decimal(1), delta=Decimal("1e-6"))
    for _ in range(10):
        spend(home, read_ledger(home), [("requesting", date(2026, 1, 1), tenth)], whole, NOW)
    with pytest.raises(BudgetExceededError):
        spend(home, read_ledger(home), [("requesting", date(2026, 1, 1), tenth)], whole, NOW)


@pytest.mark.parametrize("fault", ["changed", "first gone", "middle gone", "swapped", "torn", "no line"])
def test_a_ledger_that_is_not_as_it_was_written_is_refused(home: Home, fault: str) -> None:
    buy(home, date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1))
    lines = home.private_counts_ledger.read_bytes().splitlines()
    lines = {
        "changed": [lines[0].replace(b'"epsilon": "2"', b'"epsilon": "1"'), *lines[1:]],
        "first gone": lines[1:],
        "middle gone": [lines[0], lines[2]],
        "swapped": [lines[1], lines[0], lines[2]],
        "torn": [*lines[:2], lines[2][:40]],
        "no line": [*lines, b"true"],
    }[fault]
    home.private_counts_ledger.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(LedgerError, match="not as it was written"):
        read_ledger(home)
