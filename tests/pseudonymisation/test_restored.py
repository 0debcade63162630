"""A file that was put back from a backup lacks what came since, and has what was erased since: it is noticed."""

from pathlib import Path

from ingestion.landing import open_landing
from pseudonymisation.loading import register_people, takers_behind
from tests.pseudonymisation.conftest import Market, account


def behind(market: Market) -> list[str]:
    with open_landing(market.workspace) as landing:
        return takers_behind(market.workspace, landing, market.policy)


def kept(*files: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in files}


def test_files_older_than_what_landing_gave_them_are_behind_until_they_take_a_newer_batch(market: Market) -> None:
    home = market.workspace.home
    assert behind(market) == []
    market.land("account", account(1))
    market.load()
    backup = kept(home.vault_file, home.warehouse_file("fraud"))
    market.land("account", account(2))
    market.load()
    market.load()
    assert behind(market) == []
    for file, content in backup.items():
        file.write_bytes(content)
    home.warehouse_file("matching").unlink()
    assert behind(market) == ["vault", "matching", "fraud"]
    market.land("account", account(1), account(2))
    market.load()
    assert behind(market) == []


def test_a_pass_that_was_cut_off_leaves_nobody_behind(market: Market) -> None:
    """The vault has taken the batch and no purpose has."""
    market.land("account", account(1))
    market.load()
    market.land("account", account(2))
    with open_landing(market.workspace) as landing:
        register_people(market.workspace, landing, market.policy)
    assert behind(market) == []
