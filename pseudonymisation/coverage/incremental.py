"""Does an incremental model follow an erasure? What the term `by_key` promises, checked against what the model does.

A swept row is gone, or has a new `_batch_id`. So an incremental model follows an erasure if, for every source table with
personal columns that it reads: rows are removed when that table's rows go, and built anew when they have a new batch.
"""

from collections.abc import Iterator, Mapping

from sqlglot import exp
from sqlglot.errors import SqlglotError

from pseudonymisation.coverage.lineage import Lineage, Statement, UnresolvedError
from pseudonymisation.coverage.models import Model
from pseudonymisation.coverage.origins import BATCH

STRATEGY = "delete+insert"


def check_incremental(model: Model, relations: Mapping[str, Lineage], personal: frozenset[str]) -> list[str]:
    """Why the model does not follow an erasure. `personal` are the source tables with personal columns that it reads."""
    if model.materialized != "incremental":
        return [f"says `by_key` and is built as {model.materialized}, which is not incremental"]
    if model.strategy != STRATEGY or not isinstance(model.unique_key, str):
        return [f"says `by_key`, so it must use the strategy {STRATEGY} and one unique_key"]
    return [*_removes(model, relations, personal), *_builds_anew(model, relations, personal)]


def _removes(model: Model, relations: Mapping[str, Lineage], personal: frozenset[str]) -> Iterator[str]:
    kept = [hook.kept_key for hook in model.hooks if hook.kept_key is not None]
    if not any(key == model.unique_key for key, _, _ in kept):
        yield f"has no pre-hook remove_rows_without_source for its key {model.unique_key}"
    for _, relation, key in kept:
        if relation not in relations or key not in relations[relation].columns:
            yield f"is compared by its pre-hook with {relation}.{key}, which is not there"
    reads = {relation for hook in model.hooks for relation in hook.reads}
    watched = frozenset[str]().union(*(relations[one].tables for one in reads if one in relations))
    for table in sorted(personal - watched):
        yield f"has no pre-hook that looks at {table}: a row that is erased there would stay here"


def _builds_anew(model: Model, relations: Mapping[str, Lineage], personal: frozenset[str]) -> Iterator[str]:
    batches = relations[model.relation].columns.get(BATCH, frozenset())
    carried = {origin.table for origin in batches if origin.column == BATCH}
    for table in sorted(personal - carried):
        yield f"has no {BATCH} that descends from {table}'s: a row that is changed there would not be seen"
    try:
        statement = Statement(model.incremental_sql or "", relations)
    except (SqlglotError, UnresolvedError):
        yield "has an incremental form that cannot be followed"
        return
    for table in sorted(personal - _compared(statement, model)):
        yield f"does not ask {table} for batches newer than its own: a row that is changed there would not be built anew"
    if not _adds_what_it_lacks(statement, model):
        yield f"does not build the rows whose {model.unique_key} it lacks: what a pre-hook removed would be missing"


def _compared(statement: Statement, model: Model) -> set[str]:
    """The source tables whose batch is compared, as the later one, with the newest that the model holds."""
    found: set[str] = set()
    for comparison in statement.expression.find_all(exp.GT):
        later = comparison.this
        if isinstance(later, exp.Column) and _reads(comparison.expression, model):
            origins = statement.origins(later, statement.scope_of(comparison))
            found |= {origin.table for origin in origins if origin.column == BATCH}
    return found


def _adds_what_it_lacks(statement: Statement, model: Model) -> bool:
    return any(
        isinstance(negated.this, exp.In) and negated.this.this.name == model.unique_key and _reads(negated.this, model)
        for negated in statement.expression.find_all(exp.Not)
    )


def _reads(expression: exp.Expr, model: Model) -> bool:
    return any(f"{table.db}.{table.name}" == model.relation for table in expression.find_all(exp.Table))
