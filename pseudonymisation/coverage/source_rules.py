"""Does every source table that a purpose gets have a rule for an erasure, or a written exemption that is still true?"""

from collections.abc import Iterator

from pseudonymisation.coverage.declared import FILE, Exemption, Exemptions
from pseudonymisation.coverage.origins import personal_columns
from pseudonymisation.policy.model import SUBJECT_KINDS, Policy, Table


def check_sources(policy: Policy, exemptions: Exemptions) -> list[str]:
    """One sentence for each table or column without a rule, and for each exemption that nothing needs any more."""
    problems: list[str] = []
    for table in policy.tables.values():
        problems.extend(_subjects(table))
        problems.extend(_names_nobody(table, exemptions))
        problems.extend(_stays(table, exemptions))
        problems.extend(_held(policy, table, exemptions))
    known = {title_of(table) for table in policy.tables.values()}
    for part in ("names_nobody", "stays", "held_whole"):
        unknown = sorted(set(getattr(exemptions, part)) - known)
        problems.extend(f"{FILE}: {part}: {name} is no table of the policy" for name in unknown)
    return problems


def title_of(table: Table) -> str:
    return f"{table.source}.{table.name}"


def staying_columns(table: Table, purpose: str) -> set[str]:
    """Personal columns that stay, for somebody else, in a row from which a person is detached.

    With a single person to a row there is nobody else: it goes whole.
    """
    given = table.subject_outputs(purpose)
    if len(given) < 2 or all(table.subjects[path] == "delete" for path in given):
        return set()
    columns = personal_columns(table, purpose)
    return {column.path for column in columns if column.path not in given and column.about not in given}


def _subjects(table: Table) -> Iterator[str]:
    """A column that names a person, or that is about one, leads to a rule whether a purpose gets it yet or not."""
    for column in table.columns.values():
        if column.about is not None and column.about not in table.subjects:
            yield (
                f"{table.source}.yml: {table.name}.{column.path}: is about {column.about}, which has no rule: "
                "name it under `subjects` with what an erasure does"
            )
        names = column.identifier in SUBJECT_KINDS and column.path not in table.subjects
        if names and column.about is None and column.treatments:
            yield f"{table.source}.yml: {table.name}.{column.path}: names a person and has no rule under `subjects`"


def _names_nobody(table: Table, exemptions: Exemptions) -> Iterator[str]:
    without = {
        purpose for purpose in table.purposes if personal_columns(table, purpose) and not table.subject_outputs(purpose)
    }
    yield from _compare(
        "names_nobody",
        table,
        exemptions.names_nobody.get(title_of(table)),
        without,
        "has personal columns in {names} and no column that says whose: give it a rule under `subjects`",
    )


def _stays(table: Table, exemptions: Exemptions) -> Iterator[str]:
    staying = set().union(*(staying_columns(table, purpose) for purpose in table.purposes))
    yield from _compare(
        "stays",
        table,
        exemptions.stays.get(title_of(table)),
        staying,
        "keeps {names} when a person is detached: say whose it is by `about`",
    )


def _held(policy: Policy, table: Table, exemptions: Exemptions) -> Iterator[str]:
    by_law = {name for name, purpose in policy.purposes.items() if purpose.held_by_law is not None}
    whole = {p for p in by_law.intersection(table.purposes) if table.subject_outputs(p) and p not in table.held_when}
    yield from _compare(
        "held_whole",
        table,
        exemptions.held_whole.get(title_of(table)),
        whole,
        "would be held by law whatever a row says, in {names}: give it `held_when`",
    )


def _compare(part: str, table: Table, written: Exemption | None, needed: set[str], fault: str) -> Iterator[str]:
    names = written.names if written else frozenset()
    missing, idle = sorted(needed - names), sorted(names - needed)
    if missing:
        sentence = fault.format(names=", ".join(missing))
        yield f"{table.source}.yml: {table.name}: {sentence}, or write the reason under `{part}` in {FILE}"
    if idle:
        yield f"{FILE}: {part}: {title_of(table)}: nothing needs {', '.join(idle)} any more: remove it"
