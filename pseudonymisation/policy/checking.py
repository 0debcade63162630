"""Is the policy whole? Every rule that makes it fail closed, each as a check that gives sentences."""

from collections import Counter
from collections.abc import Iterable, Iterator

from pseudonymisation.loading_sql import outputs_of
from pseudonymisation.policy.model import FLAG_KIND, NATURAL_TYPES, SUBJECT_KINDS, Column, Policy, Purpose, Table
from pseudonymisation.policy.private_counts import load_private_counts
from pseudonymisation.policy.reading import PolicyError, known_data_uses
from pseudonymisation.policy.recipients import check_recipient
from pseudonymisation.policy.shapes import known_categories
from pseudonymisation.treatments import TREATMENTS
from storage import LeiiError

WRITTEN_BY_THE_PIPELINE = frozenset({"fraud_flag", "privacy_receipt"})
"""Tables of the app's database that the pipeline writes and does not read."""


def check_policy(policy: Policy) -> list[str]:
    """Every fault of the policy as a sentence with its place; an empty list for a whole one."""
    problems = [problem for purpose in policy.purposes.values() for problem in _check_purpose(purpose)]
    for table in policy.tables.values():
        problems.extend(_check_table(policy, table))
    app = {
        table.name: {path: (column.category, column.identifier) for path, column in table.columns.items()}
        for table in policy.tables_from("app_db")
    }
    problems += [problem for recipient in policy.recipients.values() for problem in check_recipient(recipient, app)]
    return problems


def require_whole(policy: Policy) -> None:
    """Raises PolicyError if anything is wrong with the policy: no run starts on one that is not whole."""
    load_private_counts()
    problems = check_policy(policy)
    if problems:
        raise PolicyError(problems)


def unclassified_columns(policy: Policy, catalogue: Iterable[tuple[str, str]]) -> list[str]:
    """Columns of the app's database, as (table, column), that nobody has classified: `table.column`, sorted."""
    known = {(table.name, path) for table in policy.tables_from("app_db") for path in table.columns}
    unknown = {pair for pair in catalogue if pair not in known and pair[0] not in WRITTEN_BY_THE_PIPELINE}
    return sorted(f"{table}.{column}" for table, column in unknown)


def _check_purpose(purpose: Purpose) -> Iterator[str]:
    where = f"purposes.yml: {purpose.name}"
    if purpose.data_use not in known_data_uses():
        yield f"{where}: data_use {purpose.data_use!r} is not in the fideslang taxonomy"
    if not purpose.basis_article.strip() or not purpose.basis_reason.strip():
        yield f"{where}: has no lawful basis"
    if not purpose.readers:
        yield f"{where}: has no readers"
    if purpose.retention_days <= 0:
        yield f"{where}: has no retention"


def _check_table(policy: Policy, table: Table) -> Iterator[str]:
    where = f"{table.source}.yml: {table.name}"
    for name in (*table.key, table.updated_at, table.appended_at, table.event_at):
        if name is not None and name not in table.columns:
            yield f"{where}: names {name!r}, which is not one of its columns"
    for path in table.subjects:
        column = table.columns.get(path)
        if column is None or column.identifier not in (*SUBJECT_KINDS, FLAG_KIND):
            yield f"{where}: subject {path!r} must be a column whose identifier is one of {', '.join(SUBJECT_KINDS)}"
    for column in table.columns.values():
        yield from _check_column(policy, table, column)
    for purpose in table.purposes:
        if purpose in policy.purposes:
            yield from _check_purpose_of_table(policy, table, purpose)


def _check_column(policy: Policy, table: Table, column: Column) -> Iterator[str]:
    where = f"{table.source}.yml: {table.name}.{column.path}"
    if column.category not in known_categories():
        yield f"{where}: category {column.category!r} is not in the fideslang taxonomy"
    if column.type not in NATURAL_TYPES:
        yield f"{where}: type {column.type!r} is none of {', '.join(NATURAL_TYPES)}"
    for word, other in (("about", column.about), ("same_as", column.same_as)):
        if other is not None and other not in table.columns:
            yield f"{where}: {word} names {other!r}, which is not a column of the table"
    if column.is_wildcard and column.treatments:
        yield f"{where}: a wildcard may only go nowhere; list the field by its own path"
    for purpose, treatment in column.treatments.items():
        if purpose not in policy.purposes:
            yield f"{where}: {purpose!r} is neither a purpose nor a word of the policy"
        elif treatment.name not in TREATMENTS:
            yield f"{where}: {purpose}: no treatment {treatment.name!r}; there are {', '.join(sorted(TREATMENTS))}"
        else:
            yield from _check_treatment(policy, table, column, purpose)


def _check_treatment(policy: Policy, table: Table, column: Column, purpose: str) -> Iterator[str]:
    where = f"{table.source}.yml: {table.name}.{column.path}: {purpose}"
    treatment = column.treatments[purpose]
    try:
        outputs_of(table, column, treatment)
    except LeiiError as error:
        yield f"{where}: {error}"
        return
    if treatment.name == "pseudonym" and column.identifier in SUBJECT_KINDS and column.path not in table.subjects:
        yield f"{where}: names a person, so it must stand under `subjects` with what an erasure does"
    keeps_text = treatment.name == "keep" and column.type == "text" and not column.values
    if keeps_text and policy.purposes[purpose].held_by_law is None and not _may_keep_text(column):
        yield f"{where}: keeps a text as it is; give `values`, or use `code`, `pseudonym`, a coarsening or `derive`"


def _may_keep_text(column: Column) -> bool:
    return column.category.startswith("system.") or column.identifier == FLAG_KIND


def _check_purpose_of_table(policy: Policy, table: Table, purpose: str) -> Iterator[str]:
    where = f"{table.source}.yml: {table.name}: {purpose}"
    dated = table.columns.get(table.event_at or "")
    if dated is not None and purpose not in dated.treatments:
        yield f"{where}: is not given {table.event_at}, from which retention counts: coarsen it as far as the purpose allows"
    given = table.subject_outputs(purpose)
    for path, rule in table.subjects.items():
        if path in given:
            continue
        told = [column.path for column, _ in table.outputs(purpose) if column.about == path]
        if rule == "delete":
            yield f"{where}: does not get {path}, so its rows could not be erased"
        elif rule == "detach" and told:
            yield f"{where}: gets {', '.join(told)} about {path} but not {path}, so they could not be cleared"
    try:
        names = [o.name for column, treatment in table.outputs(purpose) for o in outputs_of(table, column, treatment)]
    except LeiiError:
        return
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{where}: {times} columns would be called {name!r}"
    if table.held_when.get(purpose, names[0]) not in names:
        yield f"{where}: held_when names {table.held_when[purpose]!r}, which is not one of its output columns"
    for value in table.only:
        if value not in policy.purposes:
            yield f"{table.source}.yml: {table.name}: `only` names {value!r}, which is no purpose"
