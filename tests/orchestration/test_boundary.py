"""The check at the border finds what should not have come through, whatever let it through."""

import pytest

from orchestration.boundary import check_boundary, checked_columns
from pseudonymisation.loading import create_tables, open_purpose
from pseudonymisation.policy.model import Policy
from storage import Workspace

RAW = [
    "ola@nordmann.no",
    "skriv til Ola.N@firma.example.com",
    "+47 91234567",
    "91234567",
    "01017012345",
    "010170 12345",
]


def stored(workspace: Workspace, policy: Policy, purpose: str, *statements: str) -> None:
    with workspace.connect() as con, open_purpose(con, workspace, purpose):
        create_tables(con, policy, purpose)
        for statement in statements:
            con.execute(statement)


def login(country: str, batch_id: int = 5) -> str:
    return (
        "INSERT INTO purpose.src.app_db__login (login_id, country, _row_key, _batch_id) "
        f"VALUES (uuid(), '{country}', uuid(), {batch_id})"
    )


def failed(workspace: Workspace, policy: Policy, purpose: str, since_batch: int = 0) -> dict[str, object]:
    checks = check_boundary(workspace, policy, purpose, since_batch=since_batch)
    return {check.table: check.suspicious or check.unexpected_columns for check in checks if not check.passed}


def test_the_policys_own_tables_pass(workspace: Workspace, policy: Policy) -> None:
    for purpose in policy.purposes:
        stored(workspace, policy, purpose)
        assert failed(workspace, policy, purpose) == {}


@pytest.mark.parametrize("value", RAW)
def test_a_raw_looking_value_is_found(workspace: Workspace, policy: Policy, value: str) -> None:
    stored(workspace, policy, "fraud", login("NO"), login(value))
    assert failed(workspace, policy, "fraud") == {"app_db__login": {"country": 1}}


@pytest.mark.parametrize("value", ["NO", "completed", "pi_3PqQ912345678901x", "2026-11-15", "flag_0123456789abcdef"])
def test_a_harmless_value_passes(workspace: Workspace, policy: Policy, value: str) -> None:
    stored(workspace, policy, "fraud", login(value))
    assert failed(workspace, policy, "fraud") == {}


def test_only_rows_of_this_pass_are_read(workspace: Workspace, policy: Policy) -> None:
    stored(workspace, policy, "fraud", login(RAW[0], batch_id=3), login("NO", batch_id=7))
    assert failed(workspace, policy, "fraud", since_batch=4) == {}
    assert failed(workspace, policy, "fraud", since_batch=3) == {"app_db__login": {"country": 1}}


def test_a_smuggled_column_or_table_is_found(workspace: Workspace, policy: Policy) -> None:
    stored(
        workspace,
        policy,
        "matching",
        "ALTER TABLE purpose.src.app_db__account ADD COLUMN email VARCHAR",
        "CREATE TABLE purpose.src.app_db__survey_response (answers VARCHAR)",
    )
    assert failed(workspace, policy, "matching") == {
        "app_db__account": ("email",),
        "app_db__survey_response": ("the whole table",),
    }


def test_what_accounting_keeps_as_it_is_is_not_suspected(policy: Policy) -> None:
    kept = checked_columns(policy.table("stripe", "charge"), "accounting")
    assert "billing_name" not in kept
    assert "status" in kept
