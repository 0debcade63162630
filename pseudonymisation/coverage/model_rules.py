"""Does every dbt model say what an erasure does to it (`meta.erasure`), and is it so?

computed          a view, or SQL that is written into others: it has no rows of its own
rebuilt           a table that every pass builds anew from its inputs, so also the pass that swept them
by_key            an incremental table that removes the rows whose source is gone and rebuilds those whose source changed
{exempt: reason}  an erasure does nothing to it, and the reason why that is right
"""

from collections.abc import Iterable, Iterator

from pseudonymisation.coverage.declared import SHORTEST_REASON
from pseudonymisation.coverage.incremental import check_incremental
from pseudonymisation.coverage.lineage import Lineage
from pseudonymisation.coverage.models import Model
from pseudonymisation.coverage.origins import PolicyColumn, PurposeLineage, is_personal, personal_columns
from pseudonymisation.policy.model import Policy

BUILT_AS = {"computed": ("view", "ephemeral"), "rebuilt": ("table",), "by_key": ("incremental",)}
NAMED_IN_A_SENTENCE = 3


def check_models(policy: Policy, models: Iterable[Model], lineages: Iterable[PurposeLineage]) -> list[str]:
    """One sentence for each model without a rule, with a rule that it does not follow, or with a column unknown."""
    by_purpose = {one.purpose: one for one in lineages}
    return [
        f"dbt: {model.purpose or model.kind}: {model.relation}: {problem}"
        for model in models
        for problem in _check_model(policy, model, by_purpose.get(model.purpose))
    ]


def personal_origins(policy: Policy, lineage: PurposeLineage, relation: str) -> list[PolicyColumn]:
    """The policy's personal columns that any column of a model descends from, sorted."""
    found = lineage.policy_columns(lineage.relations[relation].origins)
    return sorted(one for one in found if is_personal(policy.table(one.source, one.table).columns[one.path]))


def personal_tables(policy: Policy, lineage: PurposeLineage, relation: str) -> frozenset[str]:
    """The source tables with personal columns that decide which rows a model has."""
    personal = {t.stored_name for t in policy.tables_of(lineage.purpose) if personal_columns(t, lineage.purpose)}
    return lineage.relations[relation].tables & personal


def _check_model(policy: Policy, model: Model, lineage: PurposeLineage | None) -> Iterator[str]:
    if model.kind == "model" and lineage is None:
        yield "stands in the folder of no purpose"
        return
    yield from _rule(policy, model, lineage)
    if model.has_other_hooks:
        yield "has a hook that does more than remove its rows (remove_rows_...): what it writes is not followed"
    if lineage is None or model.kind != "model":
        return
    found = lineage.relations[model.relation]
    if found.unresolved:
        yield f"cannot be followed ({found.unresolved}), so it counts as descending from all that it reads: write it plainly"
        return
    yield from _columns(policy, model, lineage, found)
    if model.erasure == "by_key":
        yield from check_incremental(model, lineage.relations, personal_tables(policy, lineage, model.relation))


def _rule(policy: Policy, model: Model, lineage: PurposeLineage | None) -> Iterator[str]:
    erasure = model.erasure
    if isinstance(erasure, dict) and set(erasure) == {"exempt"}:
        if len(str(erasure["exempt"])) < SHORTEST_REASON:
            yield "is exempt for a reason that says nothing"
    elif not isinstance(erasure, str):
        whose = _descent(policy, model, lineage) if lineage is not None else ""
        yield f"{whose}has no erasure rule: give it meta.erasure, one of {', '.join(BUILT_AS)}, or {{exempt: reason}}"
    elif erasure not in BUILT_AS:
        yield f"has the erasure rule {erasure!r}, which is none of {', '.join(BUILT_AS)}, or {{exempt: reason}}"
    elif model.materialized not in BUILT_AS[erasure]:
        yield f"says `{erasure}`, which is true of {' or '.join(BUILT_AS[erasure])}, and is built as {model.materialized}"


def _descent(policy: Policy, model: Model, lineage: PurposeLineage) -> str:
    columns = [str(one) for one in personal_origins(policy, lineage, model.relation)]
    if columns:
        return f"descends from {_some(columns)} and "
    tables = sorted(personal_tables(policy, lineage, model.relation))
    return f"has its rows from {_some(tables)} and " if tables else ""


def _columns(policy: Policy, model: Model, lineage: PurposeLineage, found: Lineage) -> Iterator[str]:
    for column in sorted(set(found.columns) - set(model.columns)):
        origins = lineage.policy_columns(found.columns[column])
        personal = [str(o) for o in sorted(origins) if is_personal(policy.table(o.source, o.table).columns[o.path])]
        whose = f"descends from {_some(personal)} and " if personal else ""
        yield f"column {column} {whose}is not described in the model's YAML"
    for column in sorted(set(model.columns) - set(found.columns)):
        yield f"column {column} is described in the model's YAML and the SQL does not have it"


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:NAMED_IN_A_SENTENCE])
    return shown if len(names) <= NAMED_IN_A_SENTENCE else f"{shown} and {len(names) - NAMED_IN_A_SENTENCE} more"
