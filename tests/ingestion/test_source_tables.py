import pytest

from ingestion.source_tables import SourceTable


def test_a_table_needs_a_key() -> None:
    with pytest.raises(ValueError, match="needs a key"):
        SourceTable(name="booking", columns=("a",), key=(), updated_at=None, appended_at=None)


def test_key_and_time_must_be_among_the_columns() -> None:
    with pytest.raises(ValueError, match="not among its columns: id, updated_at"):
        SourceTable(name="booking", columns=("a",), key=("id",), updated_at="updated_at", appended_at=None)


def test_a_table_changes_or_grows_but_not_both() -> None:
    with pytest.raises(ValueError, match="not both"):
        SourceTable(name="login", columns=("id", "at"), key=("id",), updated_at="at", appended_at="at")


def test_an_append_only_table_has_one_growing_key() -> None:
    with pytest.raises(ValueError, match="one growing key"):
        SourceTable(name="login", columns=("a", "b", "at"), key=("a", "b"), updated_at=None, appended_at="at")
