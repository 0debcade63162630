from datetime import date

import pytest

from dashboards.queries.periods import last_months, last_weeks


def test_the_last_weeks_run_from_a_monday_to_a_sunday() -> None:
    period = last_weeks(date(2026, 11, 2), date(2024, 11, 11), 12)
    assert (period.first, period.last, period.end) == (date(2026, 8, 17), date(2026, 11, 8), date(2026, 11, 9))
    assert period.first.weekday() == 0


def test_the_last_months_cross_a_year() -> None:
    period = last_months(date(2026, 2, 1), date(2024, 11, 1), 6)
    assert (period.first, period.last) == (date(2025, 9, 1), date(2026, 2, 28))


@pytest.mark.parametrize("length", [None, 500])
def test_no_period_begins_before_the_data(length: int | None) -> None:
    assert last_weeks(date(2026, 11, 2), date(2026, 10, 5), length).first == date(2026, 10, 5)
    assert last_months(date(2026, 10, 1), date(2026, 7, 1), length).first == date(2026, 7, 1)
