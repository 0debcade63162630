"""The rule of one row, held against what a person would decide, for every combination of who is erased."""

from itertools import product

import duckdb
import pytest

from pseudonymisation.policy.model import OnErasure
from pseudonymisation.row_rules import RowRule, row_goes

RULES: list[dict[str, OnErasure]] = [
    {"a": "delete"},
    {"a": "detach", "b": "detach"},
    {"a": "detach", "b": "delete"},
    {"a": "delete", "b": "delete_if_alone", "c": "detach"},
]


def decided_by_hand(subjects: dict[str, OnErasure], named: dict[str, bool], erased: dict[str, bool]) -> bool:
    living = {s for s in subjects if named[s] and not erased[s]}
    gone = {s for s in subjects if named[s] and erased[s]}
    if any(subjects[s] == "delete" for s in gone):
        return True
    if any(subjects[s] == "delete_if_alone" for s in gone) and not any(subjects[s] == "delete" for s in living):
        return True
    return "detach" in subjects.values() and bool(gone) and not living


@pytest.mark.parametrize("subjects", RULES)
def test_a_row_goes_exactly_when_nobody_living_needs_it(subjects: dict[str, OnErasure]) -> None:
    rule = RowRule(subjects=subjects, about=dict.fromkeys(subjects, ()))
    goes = row_goes(rule, erased=lambda column: f"(coalesce({column} = 'erased', FALSE))")
    for states in product((None, "living", "erased"), repeat=len(subjects)):
        columns = ", ".join(f"CAST(? AS VARCHAR) AS {s}" for s in subjects)
        row = duckdb.execute(f"SELECT {goes} FROM (SELECT {columns})", list(states)).fetchone()
        named = {s: state is not None for s, state in zip(subjects, states, strict=True)}
        erased = {s: state == "erased" for s, state in zip(subjects, states, strict=True)}
        assert row == (decided_by_hand(subjects, named, erased),), states
