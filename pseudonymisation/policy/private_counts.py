"""Which counts are published with noise, and what they may cost (private_counts.yml)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from pseudonymisation.policy.reading import PolicyError, policy_folder
from pseudonymisation.policy.shapes import Strict, validated

FILE = "private_counts.yml"

Epsilon = Annotated[Decimal, Field(gt=0, le=10)]
"""From 10 on, what anybody knows of a person may change by a factor of more than 20,000: that is no protection."""

Delta = Annotated[Decimal, Field(gt=0, le=Decimal("0.0001"))]
"""The chance that nothing is promised, so well below one in the number of people who are counted."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one release or of several: costs add up (Dwork and Roth, 2014, theorem 3.16)."""

    epsilon: Decimal
    delta: Decimal

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(epsilon=self.epsilon + other.epsilon, delta=self.delta + other.delta)

    def fits(self, budget: "Cost") -> bool:
        return self.epsilon <= budget.epsilon and self.delta <= budget.delta


NOTHING = Cost(epsilon=Decimal(0), delta=Decimal(0))


@dataclass(frozen=True, kw_only=True)
class PrivateCount:
    """One count: customers with a request or a booking in a month, by category or by category and municipality."""

    name: str
    what: str
    of: Literal["request", "booking"]
    by_municipality: bool
    cost: Cost
    most_cells_per_person: int


@dataclass(frozen=True, kw_only=True)
class PrivateCounts:
    """All counts, and what the releases about one calendar year may cost together."""

    first_month: date
    budget_per_year: Cost
    counts: Mapping[str, PrivateCount]


class _Budget(Strict):
    epsilon: Decimal = Field(gt=0)
    delta: Decimal = Field(gt=0, lt=1)


class _Count(Strict):
    what: str = Field(min_length=10)
    of: Literal["request", "booking"]
    by: tuple[Literal["category"]] | tuple[Literal["category"], Literal["municipality"]]
    epsilon: Epsilon
    delta: Delta
    most_cells_per_person: int = Field(ge=1, le=1000)


class _File(Strict):
    first_month: date
    budget_per_year: _Budget
    counts: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{2,40}$")], _Count] = Field(min_length=1)

    @field_validator("first_month")
    @classmethod
    def _month_begins(cls, value: date) -> date:
        if value.day != 1:
            raise ValueError("it must be the first day of a month")
        return value


@cache
def load_private_counts() -> PrivateCounts:
    """The project's own. Raises PolicyError if the file is not what it should be."""
    return read_private_counts(policy_folder())


def read_private_counts(folder: Path) -> PrivateCounts:
    """Read the file of a policy's folder. Raises PolicyError with every fault."""
    problems: list[str] = []
    content = validated(folder / FILE, _File, problems)
    if content is None:
        raise PolicyError(problems)
    return PrivateCounts(
        first_month=content.first_month,
        budget_per_year=Cost(epsilon=content.budget_per_year.epsilon, delta=content.budget_per_year.delta),
        counts={
            name: PrivateCount(
                name=name,
                what=one.what,
                of=one.of,
                by_municipality=len(one.by) == 2,
                cost=Cost(epsilon=one.epsilon, delta=one.delta),
                most_cells_per_person=one.most_cells_per_person,
            )
            for name, one in content.counts.items()
        },
    )
