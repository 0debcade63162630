"""What the models' descriptions and meta have to say, read from dbt's manifest."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pseudonymisation.loading_sql import outputs_of
from pseudonymisation.policy.model import Policy
from tests.dbt_project.purpose_project import PurposeProject

SUBJECT_COLUMNS = {
    "account_id",
    "counterpart_id",
    "customer_id",
    "person_id",
    "provider_id",
    "subject_id",
    "visitor_id",
}


def problems(manifest: Mapping[str, Any], policy: Policy, purpose: str) -> list[str]:
    """One sentence for each model or column of the purpose that is not described as agreed."""
    nodes = [
        node for node in manifest["nodes"].values() if node["resource_type"] == "model" and node["fqn"][1] == purpose
    ]
    return [problem for node in nodes for problem in _of_model(node, policy, purpose)]


def undescribed(project: PurposeProject) -> list[str]:
    """Each column that the build gave a table or view and that no description is about."""
    described = {
        (node["schema"], node["alias"], column)
        for node in project.manifest()["nodes"].values()
        for column, about in node["columns"].items()
        if about["description"]
    }
    built = project.query(
        "SELECT schema_name, table_name, column_name FROM duckdb_columns() "
        "WHERE database_name = 'purpose' AND schema_name IN ('staging', 'intermediate', 'marts') ORDER BY ALL"
    )
    return [".".join(row.values()) for row in built if tuple(row.values()) not in described]


def marts(manifest: Mapping[str, Any], purpose: str) -> dict[str, dict[str, Any]]:
    """The purpose's marts by name."""
    return {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["fqn"][1:3] == [purpose, "marts"]
    }


def _of_model(node: Mapping[str, Any], policy: Policy, purpose: str) -> Iterator[str]:
    name = node["name"]
    categories = {column.category for table in policy.tables_of(purpose) for column, _ in table.outputs(purpose)}
    if not node["description"].startswith("One row per "):
        yield f"{name}: the description does not begin with the grain"
    if node["meta"].get("purpose") != purpose:
        yield f"{name}: meta.purpose is not {purpose}"
    if node["fqn"][2] == "marts" and not node["contract"]["enforced"]:
        yield f"{name}: a mart without a contract"
    if not node["columns"]:
        yield f"{name}: no columns"
    if node["fqn"][2] == "staging":
        yield from _of_staging(node, policy, purpose)
    for column, about in node["columns"].items():
        if not about["description"]:
            yield f"{name}.{column}: not described"
        if (column in SUBJECT_COLUMNS) != (about["meta"].get("subject") is True):
            yield f"{name}.{column}: names a person and does not say so, or says so and does not"
        category = about["meta"].get("category")
        if category is not None and category not in categories:
            yield f"{name}.{column}: {category} is no category that the policy gives {purpose}"


def _of_staging(node: Mapping[str, Any], policy: Policy, purpose: str) -> Iterator[str]:
    """A staging model only renames, so each personal column has exactly the category that the policy gives its source."""
    (stored,) = [parent.rsplit(".", 1)[1] for parent in node["depends_on"]["nodes"] if parent.startswith("source.")]
    (table,) = [table for table in policy.tables_of(purpose) if table.stored_name == stored]
    categories = {
        output.name: column.category
        for column, treatment in table.outputs(purpose)
        for output in outputs_of(table, column, treatment)
    }
    for source, renamed in re.findall(r"^        (\w+)(?: as (\w+))?,?$", node["raw_code"], re.MULTILINE):
        expected = categories.get(source, "")
        about = node["columns"].get(renamed or source)
        if about is None:
            yield f"{node['name']}.{renamed or source}: in the SQL and not described"
        elif about["meta"].get("category") != (expected if expected.startswith("user") else None):
            yield f"{node['name']}.{renamed or source}: the policy's category is {expected}"
