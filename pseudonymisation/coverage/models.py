"""dbt's compiled models as data: what each reads and writes, how it is built, and what it declares about erasure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KINDS = ("model", "seed", "snapshot", "operation")
"""Nodes of dbt's that write: an operation is a statement before or after a whole run."""

MACRO_CALL = re.compile(r"\b([a-z]\w*)\s*\(")
REFERENCE = re.compile(r"""\bref\(\s*["'](\w+)["']\s*\)""")
REMOVAL = re.compile(r"\{\{\s*remove_rows_(without_source|where)\(.*\)\s*\}\}", re.DOTALL)
WITHOUT_SOURCE = re.compile(
    r"""remove_rows_without_source\(\s*["'](\w+)["']\s*,\s*ref\(\s*["'](\w+)["']\s*\)\s*(?:,\s*["'](\w+)["']\s*)?\)"""
)


@dataclass(frozen=True, kw_only=True)
class Hook:
    """A statement that dbt runs before an incremental model: the models that it reads, and whose key it keeps.

    `kept_key` is set for `remove_rows_without_source`: the model's column, the model named, and that model's column.
    """

    reads: frozenset[str]
    kept_key: tuple[str, str, str] | None


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model, seed, snapshot or operation. `relation` is schema.table; `parents` and the hooks' `reads` are relations too.

    `is_python`: its `sql` is a program, of which only the columns that its YAML describes are known.
    `incremental_sql` is what an incremental model runs once its table is there; None for every other model.
    `erasure` is what its `meta` says, as it stands there. `has_other_hooks`: it has hooks that do more than remove its rows.
    """

    name: str
    kind: str
    purpose: str
    relation: str
    materialized: str
    is_public: bool
    sql: str
    incremental_sql: str | None
    parents: frozenset[str]
    columns: tuple[str, ...]
    erasure: Any
    unique_key: str | None
    strategy: str | None
    hooks: tuple[Hook, ...]
    has_other_hooks: bool
    is_python: bool = False


def read_models(full: Mapping[str, Any], incremental: Mapping[str, Any]) -> list[Model]:
    """Every model of dbt's compiled manifest, parents before children.

    `full` was compiled against an empty database, `incremental` against one in which every incremental table is there.
    """
    nodes = {unique_id: node for unique_id, node in full["nodes"].items() if node["resource_type"] in KINDS}
    relations = {unique_id: _relation(node) for unique_id, node in {**nodes, **full["sources"]}.items()}
    by_name = {node["name"]: relations[unique_id] for unique_id, node in nodes.items()}
    macros = {node["name"]: node for node in full["macros"].values() if node["package_name"] == _project(full)}
    return [
        _model(nodes[unique_id], incremental["nodes"].get(unique_id, {}), relations, by_name, macros)
        for unique_id in _in_order(nodes)
    ]


def incremental_relations(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Schema and table of every incremental model of a manifest."""
    found = (node for node in manifest["nodes"].values() if node["config"].get("materialized") == "incremental")
    return sorted((node["schema"], _table(node)) for node in found)


def _model(
    node: Mapping[str, Any],
    again: Mapping[str, Any],
    relations: Mapping[str, str],
    by_name: Mapping[str, str],
    macros: Mapping[str, Any],
) -> Model:
    config = node["config"]
    is_incremental = config["materialized"] == "incremental"
    return Model(
        name=node["name"],
        kind=node["resource_type"],
        purpose=_purpose(node),
        relation=_relation(node),
        materialized=config["materialized"],
        is_public=(config.get("access") or node.get("access")) == "public",
        sql=node.get("compiled_code") or "",
        incremental_sql=(again.get("compiled_code") or "") if is_incremental else None,
        parents=frozenset(relations[one] for one in _parents(node) if one in relations),
        columns=tuple(node["columns"]),
        erasure=config.get("meta", {}).get("erasure"),
        unique_key=config.get("unique_key"),
        strategy=config.get("incremental_strategy"),
        hooks=tuple(_hook(hook["sql"], by_name, macros) for hook in config.get("pre-hook", [])),
        has_other_hooks=bool(config.get("post-hook"))
        or any(not REMOVAL.fullmatch(hook["sql"].strip()) for hook in config.get("pre-hook", [])),
        is_python=node.get("language") == "python",
    )


def _hook(sql: str, by_name: Mapping[str, str], macros: Mapping[str, Any]) -> Hook:
    """What a hook reads, through every macro that it calls: dbt renders it only when it runs."""
    kept = WITHOUT_SOURCE.search(sql)
    texts, waiting, seen = [sql], [sql], set[str]()
    while waiting:
        for name in MACRO_CALL.findall(waiting.pop()):
            if name in macros and name not in seen:
                seen.add(name)
                texts.append(macros[name]["macro_sql"])
                waiting.append(macros[name]["macro_sql"])
    named = {name for text in texts for name in REFERENCE.findall(text)}
    return Hook(
        reads=frozenset(by_name[name] for name in named if name in by_name),
        kept_key=(kept[1], by_name[kept[2]], kept[3] or kept[1]) if kept and kept[2] in by_name else None,
    )


def _in_order(nodes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    ordered: dict[str, None] = {}

    def add(unique_id: str) -> None:
        if unique_id not in ordered:
            for parent in _parents(nodes[unique_id]):
                if parent in nodes:
                    add(parent)
            ordered[unique_id] = None

    for unique_id in sorted(nodes):
        add(unique_id)
    return list(ordered)


def _parents(node: Mapping[str, Any]) -> Sequence[str]:
    found: Iterable[str] = node.get("depends_on", {}).get("nodes", ())
    return sorted(set(found))


def _relation(node: Mapping[str, Any]) -> str:
    return f"{node['schema']}.{_table(node)}"


def _table(node: Mapping[str, Any]) -> str:
    return str(node.get("identifier") or node.get("alias") or node["name"])


def _purpose(node: Mapping[str, Any]) -> str:
    """The folder below models/ that the file stands in; '' for what is no purpose's, such as a seed."""
    parts = str(node["original_file_path"]).split("/")
    return parts[1] if parts[0] == "models" and len(parts) > 2 else ""


def _project(manifest: Mapping[str, Any]) -> str:
    return str(manifest["metadata"]["project_name"])
