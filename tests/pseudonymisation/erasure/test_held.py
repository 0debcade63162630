"""The held zone is whole or nothing is certified, and what is past its day is gone from its file, whatever happened."""

import shutil
from datetime import date

import pytest

from pseudonymisation.erasure.held import expire_held, give_up_lost, held_until, open_held
from pseudonymisation.vault import open_vault
from storage import LeiiError
from tests.pseudonymisation.conftest import NOON, account
from tests.pseudonymisation.erasure.conftest import Town, certificate_files

LAST_DAY = date(2031, 12, 31)
"""Of the hold on a job of 2026: five years after the end of that year."""

MISSING = "what the law has you keep about erased people is missing"


@pytest.fixture
def held(town: Town) -> Town:
    """One person is erased, of whom a booking is held; another asks."""
    town.people(1, 2, 3)
    town.book(7, 1, 3)
    town.market.load()
    town.ask(1)
    town.erase()
    return town


def certificates(town: Town) -> int:
    return len(certificate_files(town.market.workspace.home.root))


@pytest.mark.parametrize("is_there", [True, False])
def test_a_held_zone_that_was_put_back_or_lost_is_refused_until_the_newer_one_is_back(
    held: Town, is_there: bool
) -> None:
    file = held.market.workspace.home.held_file
    backup, newest = file.with_name("backup"), file.with_name("newest")
    shutil.copy(file, backup)
    held.book(8, 2, 3)
    held.market.load()
    held.ask(2)
    held.erase()
    assert certificates(held) == 2
    file.rename(newest)
    if is_there:
        backup.rename(file)
    held.ask(3)
    with pytest.raises(LeiiError, match=MISSING):
        held.prepare()
    assert certificates(held) == 2
    assert held.market.vault("SELECT state, count(*) FROM vault.erasure GROUP BY 1") == [("certified", 2)]
    newest.rename(file)
    held.erase()
    assert certificates(held) == 3
    assert not give_up_lost(held.market.workspace)


def test_a_held_zone_that_nothing_can_bring_back_is_given_up_by_a_word_and_noticed_again(held: Town) -> None:
    workspace = held.market.workspace
    backup = workspace.home.held_file.with_name("backup")
    shutil.copy(workspace.home.held_file, backup)
    workspace.home.held_file.unlink()
    assert give_up_lost(workspace)
    held.book(8, 2, 3)
    held.market.load()
    held.ask(2)
    held.erase()
    assert certificates(held) == 2
    assert sum(one.rows for one in held_until(workspace)) == 1
    workspace.home.held_file.unlink()
    with pytest.raises(LeiiError, match=MISSING):
        held.prepare()


def test_a_vault_from_before_the_hold_takes_the_zone_as_it_is(held: Town) -> None:
    """It is noticed itself; the zone has more than it knows of."""
    workspace = held.market.workspace
    with workspace.connect() as con, open_vault(con, workspace):
        con.execute("DELETE FROM vault.held_written")
    held.market.land("account", account(2))
    held.market.load()
    held.ask(2)
    held.erase()
    assert certificates(held) == 2


def test_what_is_held_goes_from_the_file_on_the_day_its_hold_ends_and_not_before(held: Town) -> None:
    workspace = held.market.workspace
    assert [(one.rows, one.last) for one in held_until(workspace)] == [(1, LAST_DAY)]
    held.later(days=(LAST_DAY - NOON.date()).days)
    held.prepare()
    assert [(one.rows, one.last) for one in held_until(held.market.workspace)] == [(1, LAST_DAY)]
    before = workspace.home.held_file.stat().st_ino
    held.later(days=1)
    held.prepare()
    assert held_until(held.market.workspace) == []
    assert workspace.home.held_file.stat().st_ino != before


def test_a_file_that_was_not_written_anew_after_a_hold_ended_is_so_by_the_next_run(held: Town) -> None:
    workspace = held.market.workspace
    with workspace.connect() as con:
        with open_held(con, workspace):
            con.execute("INSERT INTO held.purge_due VALUES (now())")
        before = workspace.home.held_file.stat().st_ino
        assert expire_held(con, workspace) == 0
        purged = workspace.home.held_file.stat().st_ino
        assert purged != before
        assert expire_held(con, workspace) == 0
    assert workspace.home.held_file.stat().st_ino == purged
