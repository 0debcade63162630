"""What the register answered goes with the person and with its time, in whatever state its file is found."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pseudonymisation.registries.answers import forget_answers, save_answers
from pseudonymisation.session import prepare_session
from pseudonymisation.vault import open_vault
from storage import Workspace
from tests.pseudonymisation.conftest import Market, account, account_id
from tests.pseudonymisation.rotated import rotate, workspace_of


def keep(workspace: Workspace, *numbers: int) -> None:
    """An answer of today about each of these accounts."""
    listed = ", ".join(f"'{account_id(number)}'" for number in numbers)
    with workspace.connect() as con:
        prepare_session(con, workspace)
        save_answers(
            con,
            workspace,
            "SELECT alias_hash('account', id) AS account_hash, uuid() AS org_key, uuid() AS name_key, 'valid' AS outcome, "
            "FALSE AS is_deregistered, FALSE AS is_bankrupt, FALSE AS is_winding_up, TRUE AS name_agrees, "
            f"'{workspace.now.isoformat()}'::TIMESTAMPTZ AS asked_at FROM (SELECT unnest([{listed}]) AS id)",
        )


def forget(workspace: Workspace, erased: int) -> int:
    with workspace.connect() as con:
        prepare_session(con, workspace)
        with open_vault(con, workspace):
            con.execute("INSERT INTO vault.tombstone SELECT alias_hash('account', ?), NULL", [account_id(erased)])
            return forget_answers(con, workspace)


@pytest.mark.parametrize("days", [0, 31])
def test_an_answer_about_somebody_erased_goes_however_old_it_is(workspace: Workspace, days: int) -> None:
    keep(workspace, 1)
    file = workspace.home.registry_answers
    before = file.read_bytes()
    assert forget(replace(workspace, now=workspace.now + timedelta(days=days)), 1) == 1
    assert file.read_bytes() != before
    assert forget(workspace, 1) == 0


def test_what_is_past_its_time_goes_though_nobody_asks_any_more(workspace: Workspace) -> None:
    keep(workspace, 1, 2)
    assert forget(replace(workspace, now=workspace.now + timedelta(days=31)), 3) == 2
    assert forget(workspace, 3) == 0


def test_a_file_that_cannot_be_read_goes_as_a_whole(workspace: Workspace) -> None:
    keep(workspace, 1)
    workspace.home.registry_answers.write_bytes(workspace.home.registry_answers.read_bytes()[:-1])
    assert forget(workspace, 2) == 0
    assert not workspace.home.registry_answers.exists()


def test_what_a_killed_run_left_unfinished_goes_as_well(workspace: Workspace) -> None:
    keep(workspace, 1)
    left = workspace.home.registry_answers.rename(workspace.home.registry_answers.with_suffix(".tmp"))
    assert forget(workspace, 1) == 0
    assert not left.exists()


@pytest.mark.parametrize("name", ["vault", "landing"])
def test_no_answer_outlives_the_key_by_which_its_person_would_be_found(market: Market, name: str) -> None:
    market.land("account", account(1))
    market.load()
    keep(market.workspace, 1)
    home = market.workspace.home.root
    rotate(home, market.policy, name)
    assert not workspace_of(home).home.registry_answers.exists()
