"""What an erasure does to one row: the one rule that loading, sweeping and verifying all use."""

from collections.abc import Callable
from dataclasses import dataclass

from pseudonymisation.policy.model import OnErasure, Table


@dataclass(frozen=True, kw_only=True)
class RowRule:
    """The erasure rule of one table of one purpose, by output column.

    `subjects` maps a subject's output column to its rule. `about` maps it to the further output columns that say
    something about that person and are cleared when the person is detached.
    """

    subjects: dict[str, OnErasure]
    about: dict[str, tuple[str, ...]]


def row_rule(table: Table, purpose: str, output_names: Callable[[str], tuple[str, ...]]) -> RowRule:
    """The rule of a table. `output_names(path)` gives the output columns that a source column became."""
    outputs = table.subject_outputs(purpose)
    about = {
        output: tuple(
            name
            for column in table.columns.values()
            if column.about == path and column.path != path and purpose in column.treatments
            for name in output_names(column.path)
        )
        for path, output in outputs.items()
    }
    return RowRule(subjects={output: table.subjects[path] for path, output in outputs.items()}, about=about)


def _is_set(column: str) -> str:
    return f"{column} IS NOT NULL"


def row_goes(rule: RowRule, erased: Callable[[str], str], named: Callable[[str], str] = _is_set) -> str:
    """SQL that is true for a row which an erasure removes.

    `erased(column)` is SQL that is true if the person that the column names is erased, `named(column)` if it names one.

    Source: the privacy statement's rule on information that relates to others (R19): what another living person
    needs stays, and a row that nobody is left in goes.
    """
    living = {column: f"({named(column)} AND NOT {erased(column)})" for column in rule.subjects}
    owners = [column for column, rule_ in rule.subjects.items() if rule_ == "delete"]
    reasons = [erased(column) for column in owners]
    for column, rule_ in rule.subjects.items():
        if rule_ == "delete_if_alone":
            owned = " OR ".join(living[owner] for owner in owners) or "FALSE"
            reasons.append(f"({erased(column)} AND NOT ({owned}))")
    if any(rule_ == "detach" for rule_ in rule.subjects.values()):
        anyone_erased = " OR ".join(erased(column) for column in rule.subjects)
        anyone_living = " OR ".join(living.values())
        reasons.append(f"(({anyone_erased}) AND NOT ({anyone_living}))")
    return "(" + (" OR ".join(reasons) or "FALSE") + ")"


def row_is_touched(rule: RowRule, erased: Callable[[str], str]) -> str:
    """SQL that is true for a row in which an erased person is named at all."""
    return "(" + (" OR ".join(erased(column) for column in rule.subjects) or "FALSE") + ")"


def cleared_by(rule: RowRule, column: str) -> list[str]:
    """The subject columns whose detaching clears this output column (the column itself if it is a subject)."""
    return [subject for subject in rule.subjects if subject == column or column in rule.about[subject]]
