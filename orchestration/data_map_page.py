"""The data map as a page, and for machines."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from orchestration.coverage_check import compiled_models
from orchestration.notices_page import recipient_as_json
from orchestration.policy_pages import treated
from pseudonymisation.coverage.data_map import ABOUT_REQUESTS, WRITTEN_TO_THE_APP, MappedTable, Use, data_map
from pseudonymisation.coverage.models import Model
from pseudonymisation.policy.model import Column, Policy, Table
from pseudonymisation.policy.recipients import EVENTS

NAMED_MODELS = 3
STAGING = "staging"


def show_map(console: Any, policy: Policy, purposes: Sequence[str], print_json: Callable[[Any], None]) -> None:
    """Print the map of these purposes: as a page on the console, or as JSON if there is none."""
    models = compiled_models()
    tables = data_map(policy, models, purposes)
    if console is None:
        print_json(map_as_json(policy, models, tables, purposes))
    else:
        print_map(console, policy, tables, purposes)


def map_as_json(
    policy: Policy, models: Sequence[Model], tables: Iterable[MappedTable], purposes: Sequence[str]
) -> dict[str, Any]:
    """Purposes with their readers; who outside Leii is given what; every source column with its uses; every model with its erasure rule."""
    return {
        "purposes": {name: _recipients(policy, name) for name in purposes},
        "recipients": {name: recipient_as_json(policy, name) for name in policy.recipients},
        "told_of_privacy_requests": ABOUT_REQUESTS,
        "sources": {table.title: _table(policy, table) for table in tables},
        "models": {
            name: {
                model.relation: {"built_as": model.materialized, "erasure": model.erasure, "published": model.is_public}
                for model in models
                if model.purpose == name
            }
            for name in purposes
        },
    }


def print_map(console: Any, policy: Policy, tables: Iterable[MappedTable], purposes: Sequence[str]) -> None:
    """The same for a person, by source table; of many models the first are named."""
    for name in purposes:
        purpose, told = policy.purposes[name], _told(name)
        also = f", and the app ({', '.join(told)})" if told else ""
        held = f"; then held by {purpose.held_by_law.statute}" if purpose.held_by_law else ""
        console.print(
            f"[bold]{name}[/bold]: read by {', '.join(purpose.readers)}{also}; kept {purpose.retention_days} days{held}"
        )
    console.print(f"The app is also told how privacy requests stand ({ABOUT_REQUESTS}).")
    for recipient in policy.recipients.values():
        events = ", ".join(event for event in EVENTS if recipient.is_told_of(event)) or "nothing"
        yet = "" if recipient.is_given else "; nothing is given to it yet"
        console.print(
            f"[bold]{recipient.name}[/bold]: outside Leii, {recipient.title}; told of {events}{yet}", soft_wrap=True
        )
    for table in tables:
        _print_table(console, policy, table)
    console.print("\nA column that only decides which rows there are stands in no published table here.")
    console.print("`leii policy --map --json` names every model and column, and which rows depend on which table.")


def _print_table(console: Any, policy: Policy, table: MappedTable) -> None:
    from rich.table import Table as Grid

    rules = ", ".join(f"{path}: {rule}" for path, rule in table.table.subjects.items())
    since = f"days count from {table.table.event_at}" if table.table.event_at else "kept as long as its source has it"
    console.print(f"\n[bold]{table.title}[/bold]  on erasure: {rules or 'names nobody'}; {since}")
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    for title, width in (("column", 26), ("purpose", 13), ("gets", 25), ("by way of", 24), ("published in", 24)):
        grid.add_column(title, width=width, overflow="fold")
    for mapped in table.columns:
        for position, use in enumerate(mapped.uses):
            path = mapped.column.path
            grid.add_row(path if position == 0 else "", use.purpose, _gets(path, use), _way(use), _places(use))
    if grid.row_count:
        console.print(grid)
    nowhere = [mapped.column.path for mapped in table.columns if not mapped.column.treatments]
    if nowhere:
        console.print(f"go nowhere: {', '.join(nowhere)}", style="dim")
    outside = {mapped.column.path: recipients_of(policy, table.table, mapped.column) for mapped in table.columns}
    given = [f"{path} to {', '.join(names)}" for path, names in outside.items() if names]
    if given:
        console.print(f"the app gives: {'; '.join(given)}", style="dim")


def recipients_of(policy: Policy, table: Table, column: Column) -> list[str]:
    """Who outside Leii is given the column by the app, by the recipient's name."""
    name = f"{table.name}.{column.path}"
    return [
        recipient.name
        for recipient in policy.recipients.values()
        if table.source == "app_db" and recipient.is_given and name in recipient.gets
    ]


def _gets(path: str, use: Use) -> str:
    words = treated(use.treatment)
    return words.removesuffix(f" → {path}")


def _way(use: Use) -> str:
    """The models that are not published; of the staging models, which only rename, that there is one."""
    between = [relation.split(".") for relation in use.models if relation not in use.published]
    names = list(dict.fromkeys(schema if schema == STAGING else name for schema, name in between))
    if not use.models:
        return "no model takes it"
    more = f" and {len(names) - NAMED_MODELS} more" if len(names) > NAMED_MODELS else ""
    return ", ".join(names[:NAMED_MODELS]) + more


def _places(use: Use) -> str:
    return ", ".join([*(relation.split(".")[1] for relation in use.published), *use.app_tables]) or "-"


def _told(purpose: str) -> list[str]:
    return [table for (of, _), table in WRITTEN_TO_THE_APP.items() if of == purpose]


def _recipients(policy: Policy, name: str) -> dict[str, Any]:
    purpose = policy.purposes[name]
    return {
        "readers": list(purpose.readers),
        "app_tables": _told(name),
        "retention_days": purpose.retention_days,
        "held_by_law": purpose.held_by_law.statute if purpose.held_by_law else None,
    }


def _table(policy: Policy, table: MappedTable) -> dict[str, Any]:
    return {
        "on_erasure": dict(table.table.subjects),
        "rows_decide": {purpose: list(models) for purpose, models in table.row_models.items()},
        "columns": {
            mapped.column.path: {
                "category": mapped.column.category,
                "about": mapped.column.about,
                "recipients": recipients_of(policy, table.table, mapped.column),
                "uses": {use.purpose: _use(use) for use in mapped.uses},
            }
            for mapped in table.columns
        },
    }


def _use(use: Use) -> dict[str, Any]:
    return {
        "treatment": use.treatment.name,
        "parameter": use.treatment.parameter,
        "becomes": use.treatment.output,
        "models": _lists(use.models),
        "published": _lists(use.published),
        "readers": list(use.readers),
        "app_tables": list(use.app_tables),
        "retention_days": use.retention_days,
    }


def _lists(columns: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    return {relation: list(names) for relation, names in columns.items()}
