"""Periods to choose from, by the days that a copy has."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

WEEKS: Final[Mapping[str, int | None]] = {"12 weeks": 12, "26 weeks": 26, "52 weeks": 52, "All weeks": None}
MONTHS: Final[Mapping[str, int | None]] = {"6 months": 6, "12 months": 12, "24 months": 24, "All months": None}


@dataclass(frozen=True, kw_only=True)
class Period:
    """From the first day up to and including the last."""

    first: date
    last: date

    @property
    def end(self) -> date:
        """The day after the last."""
        return self.last + timedelta(days=1)


def last_weeks(newest_monday: date, oldest_monday: date, weeks: int | None) -> Period:
    """The last so many weeks that have data, Monday to Sunday; all of them for None."""
    first = oldest_monday if weeks is None else max(oldest_monday, newest_monday - timedelta(weeks=weeks - 1))
    return Period(first=first, last=newest_monday + timedelta(days=6))


def last_months(newest: date, oldest: date, months: int | None) -> Period:
    """The last so many calendar months that have data, given by their first days; all of them for None."""
    first = oldest if months is None else max(oldest, _minus_months(newest, months - 1))
    return Period(first=first, last=_minus_months(newest, -1) - timedelta(days=1))


def _minus_months(first_of_month: date, months: int) -> date:
    index = first_of_month.year * 12 + first_of_month.month - 1 - months
    return date(index // 12, index % 12 + 1, 1)
