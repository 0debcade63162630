"""The data map says of a source column what becomes of it, everywhere."""

import pytest

from pseudonymisation.coverage.data_map import MappedTable, Use, data_map
from pseudonymisation.coverage.models import Model
from pseudonymisation.policy.model import Policy


@pytest.fixture(scope="module")
def mapped(policy: Policy, models: list[Model]) -> dict[str, MappedTable]:
    return {table.title: table for table in data_map(policy, models, list(policy.purposes))}


def use(mapped: dict[str, MappedTable], table: str, path: str, purpose: str) -> Use:
    (found,) = [
        one
        for column in mapped[table].columns
        if column.column.path == path
        for one in column.uses
        if one.purpose == purpose
    ]
    return found


def test_every_source_column_is_on_the_map(policy: Policy, mapped: dict[str, MappedTable]) -> None:
    on_the_map = {(title, column.column.path) for title, table in mapped.items() for column in table.columns}
    assert on_the_map == {(f"{t.source}.{t.name}", path) for t in policy.tables.values() for path in t.columns}


def test_a_column_is_followed_to_its_readers_and_to_the_app(mapped: dict[str, MappedTable]) -> None:
    device = use(mapped, "app_db.login", "device_id", "fraud")
    assert "identifier_value" in device.models["intermediate.int_identifier_edge"]
    assert "reasons" in device.published["marts.fct_flag"]
    assert (device.readers, device.app_tables, device.retention_days) == (("fraud_desk",), ("app.fraud_flag",), 730)
    rules = {relation for relation in device.models if relation.startswith("intermediate.int_rule_")}
    assert rules == {"intermediate.int_rule_hit"}  # a single rule has no rows of its own


def test_what_is_not_published_has_no_readers(mapped: dict[str, MappedTable]) -> None:
    adult = use(mapped, "app_db.account", "birth_date", "fraud")
    assert set(adult.models) == {"staging.stg_fraud__account"}
    assert (adult.published, adult.readers, adult.app_tables) == ({}, (), ())


def test_a_table_is_followed_to_the_models_whose_rows_it_decides(mapped: dict[str, MappedTable]) -> None:
    assert "marts.agg_rule_performance" in mapped["app_db.login"].row_models["fraud"]
    assert "matching" not in mapped["app_db.login"].row_models


def test_one_purposes_map_has_no_other_purpose_on_it(policy: Policy, models: list[Model]) -> None:
    tables = data_map(policy, models, ["accounting"])
    assert {one.purpose for table in tables for column in table.columns for one in column.uses} == {"accounting"}
    assert "app_db.login" not in {table.title for table in tables}
