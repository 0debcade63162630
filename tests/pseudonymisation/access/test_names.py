"""Whatever an export can show has a Norwegian name: of every source, of what purposes keep, and of every model."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pseudonymisation.access.labels import TABLES
from pseudonymisation.access.labels_computed import COMPUTED_TABLES
from pseudonymisation.access.names import RULE_TABLE, field_name, has_norwegian, parts_of, table_name
from pseudonymisation.access.own_data import NAMING_KINDS
from pseudonymisation.access.purpose_rows import tables_with_people
from pseudonymisation.loading_sql import stored_columns
from pseudonymisation.policy.model import Column, Table
from pseudonymisation.policy.reading import load_policy

POLICY = load_policy()
MODELS = Path(__file__).parents[3] / "dbt_project" / "models"
NAMING = {"account_id", "customer_id", "provider_id", "candidate_id", "counterpart_id", "person_id", "visitor_id"}
"""Columns by which a model names somebody."""


def shown(table: Table, column: Column) -> bool:
    is_personal = column.category.startswith("user." if table.subjects else "user.payment")
    return table.source == "app_db" or column.identifier in NAMING_KINDS or is_personal


def models_that_name_people() -> Iterator[tuple[str, list[str]]]:
    for file in MODELS.rglob("*.yml"):
        for model in (yaml.safe_load(file.read_text()) or {}).get("models", []):
            columns = [column["name"] for column in model.get("columns", [])]
            if NAMING & set(columns) and "staging" not in file.parts:
                yield model["name"], columns


def test_every_table_and_field_of_the_sources_that_an_export_can_show_has_a_norwegian_name() -> None:
    missing = {
        f"{table.source}.{table.name}.{path}"
        for table in POLICY.tables.values()
        for path, column in table.columns.items()
        if shown(table, column) and not all(map(has_norwegian, parts_of(path)))
    }
    assert not missing
    with_people = {table.name.rsplit(".", 1)[-1] for table in POLICY.tables.values() if table.subjects}
    assert with_people <= set(TABLES)


@pytest.mark.parametrize("purpose", POLICY.purposes)
def test_whatever_a_purpose_keeps_has_a_norwegian_name(purpose: str) -> None:
    names = {name for table in tables_with_people(POLICY, purpose) for name, _ in stored_columns(table, purpose)}
    assert not {name for name in names if not name.startswith("_") and not has_norwegian(name)}


def test_every_model_that_names_people_has_a_norwegian_name_and_so_have_its_columns() -> None:
    models = dict(models_that_name_people())
    assert len(models) > 50
    assert not {name for name in models if name not in COMPUTED_TABLES and not name.startswith(RULE_TABLE)}
    columns = {column for columns in models.values() for column in columns if not column.startswith("_")}
    assert not {column for column in columns if not has_norwegian(column)}


def test_names_read_well_in_both_languages() -> None:
    assert table_name("stripe__charge", "nb") == "Stripe: Betalinger"
    assert table_name("marts.fct_session", "en") == "Visits"
    assert table_name("intermediate.int_rule_ato01", "nb") == "Funn etter regel ATO01"
    assert field_name("billing_details.address.line1", "nb") == "Fakturaopplysninger › Adresse › Adresselinje"
    assert field_name("external_accounts.data.0.last4", "en") == "External accounts › Last4"
