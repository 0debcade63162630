"""`leii keys rotate` as it is called, and what a rotation that was cut off means for the commands after it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from orchestration.cli import main
from orchestration.context import active_run, open_run
from orchestration.rotating import rotate_key
from orchestration.settings import Settings, load_settings
from publishing.copies import current_version, move_published, publish_purpose
from publishing.readers import open_published
from storage import Home, KeyRing, LeiiError, Workspace
from storage.keyring import begin_rotation, load_keyring
from tests.integration.conftest import SourceRows, Town, source_rows
from tests.publishing.conftest import in_warehouse, manifest_of


@pytest.fixture
def settings(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("LEII_HOME", str(workspace.home.root))
    monkeypatch.setenv("LEII_NOW", workspace.now.isoformat())
    return load_settings()


@pytest.fixture
def published(workspace: Workspace, tmp_path: Path) -> Workspace:
    in_warehouse(workspace, "fraud", "CREATE TABLE w.marts.fct_flag AS SELECT 'flag' AS flag_id")
    manifest = manifest_of(tmp_path / "dbt", ("fraud", "marts", "fct_flag", "public"))
    publish_purpose(workspace, "fraud", manifest)
    return workspace


def flags(workspace: Workspace, keyring: KeyRing) -> list[tuple[str, ...]]:
    with open_published(workspace.home, keyring, "fraud") as con:
        return con.execute("SELECT flag_id FROM marts.fct_flag").fetchall()


def keyring_of(workspace: Workspace) -> KeyRing:
    return load_keyring(str(workspace.home.default_keyring_file))


def test_a_rotated_published_copy_has_the_same_rows_and_refuses_the_old_readers(
    published: Workspace, settings: Settings
) -> None:
    old, folder = published.keyring, published.home.published_folder("fraud")
    before = current_version(published.home, "fraud")
    assert rotate_key(settings, "published:fraud").names == ("published:fraud",)
    assert flags(published, keyring_of(published).for_readers(["fraud"])) == [("flag",)]
    with pytest.raises(LeiiError, match="the key does not open it"):
        flags(published, old)
    with open_published(published.home, keyring_of(published), "fraud") as con:
        assert con.execute("SELECT version FROM about").fetchall() == [(current_version(published.home, "fraud"),)]
    assert current_version(published.home, "fraud") != before
    assert len([path for path in folder.glob("*.duckdb") if not path.is_symlink()]) == 1


def move_the_copy(begun: Workspace) -> None:
    move_published(begun, "fraud", begun.keyring.after_rotation().purpose_key("fraud", "published"))


@pytest.mark.parametrize("moved", [lambda begun: None, move_the_copy])
def test_whatever_command_comes_next_finishes_a_rotation_that_was_cut_off(
    published: Workspace, settings: Settings, moved: Callable[[Workspace], None]
) -> None:
    begun = begin_rotation(published.home.default_keyring_file, ["published:fraud"])
    moved(replace(published, keyring=begun))
    run = open_run(settings)
    assert run.workspace.keyring == begun.after_rotation() == keyring_of(published)
    assert flags(published, run.workspace.keyring) == [("flag",)]


def test_the_same_command_again_finishes_what_was_begun_and_begins_nothing(
    workspace: Workspace, settings: Settings
) -> None:
    begun = begin_rotation(workspace.home.default_keyring_file, ["vault"])
    assert rotate_key(settings, "vault").names == ("vault",)
    assert keyring_of(workspace) == begun.after_rotation()


def test_a_run_that_waited_while_keys_were_rotated_does_not_go_on_with_the_old_ones(settings: Settings) -> None:
    waiting = open_run(settings)
    rotate_key(settings, "quarantine")
    with pytest.raises(LeiiError, match="start it again"), active_run(waiting):
        pass
    with active_run(open_run(settings)):
        pass


def test_a_keyring_that_the_environment_holds_is_refused_with_what_to_do(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEII_HOME", str(workspace.home.root))
    monkeypatch.setenv("LEII_KEYRING", workspace.keyring.as_text())
    with pytest.raises(SystemExit):
        main(["keys", "rotate", "vault"])
    told = capsys.readouterr().err
    assert "write it to a file with mode 0600" in told
    assert json.loads(workspace.keyring.as_text())["keys"]["vault"] not in told


def test_an_unknown_name_and_a_keyring_that_is_not_there_change_nothing(
    workspace: Workspace, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LeiiError, match="no key 'fraud': the keyring has certificate, held, landing"):
        rotate_key(settings, "fraud")
    assert keyring_of(workspace) == workspace.keyring
    monkeypatch.setenv("LEII_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(LeiiError, match="no keyring at"):
        rotate_key(load_settings(), "vault")
    assert not (tmp_path / "nowhere").exists()


def test_the_command_says_what_was_rotated_and_what_to_do_with_the_old_keyring(
    workspace: Workspace, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["keys", "rotate", "purpose:fraud", "--json"])
    assert ended.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rotated"], told["built"]) == (["held", "purpose:fraud"], None)
    assert "Destroy every copy of the old one" in told["advice"]


MARTS = "SELECT score, reasons, recommended_action, issued_at FROM purpose.marts.fct_flag ORDER BY ALL"
APP_FLAGS = "select flag_id, account_id, status, score, first_seen_at, updated_at from app.fraud_flag order by 1"


@dataclass(frozen=True, kw_only=True)
class Rotated:
    """A copy of the town's LEII_HOME in which a purpose was rotated, as it was then and after a run without news."""

    told: str
    home: Home
    found: list[tuple[object, ...]]
    flag_ids: set[object]
    found_rotated: list[tuple[object, ...]]
    flag_ids_rotated: set[object]
    published_rotated: int
    rows_rotated: dict[str, SourceRows]
    app_flags: list[tuple[object, ...]]
    app_flags_after: list[tuple[object, ...]]


@pytest.fixture(scope="module")
def rotated(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Rotated:
    home, flags = Home(tmp_path_factory.mktemp("rotated") / "home"), town.app(APP_FLAGS)
    shutil.copytree(town.home.root, home.root, symlinks=True)
    found, ids = town.query("fraud", MARTS, home), flag_ids(town, home)
    told = town.leii("keys", "rotate", "purpose:fraud", home=home).stdout
    found_rotated, ids_rotated, rows = town.query("fraud", MARTS, home), flag_ids(town, home), all_rows(town, home)
    with open_published(home, load_keyring(str(home.default_keyring_file)), "fraud") as con:
        [(published,)] = con.execute("SELECT count(*) FROM marts.fct_flag").fetchall()
    town.leii("run", home=home)
    return Rotated(
        told=told, home=home, found=found, flag_ids=ids, found_rotated=found_rotated, flag_ids_rotated=ids_rotated,
        published_rotated=published, rows_rotated=rows, app_flags=flags, app_flags_after=town.app(APP_FLAGS),
    )  # fmt: skip


@pytest.mark.slow
def test_a_purpose_rotated_between_two_runs_finds_the_same_and_the_app_keeps_every_flag(
    town: Town, rotated: Rotated
) -> None:
    assert "rotated: held, purpose:fraud" in rotated.told
    assert rotated.found
    assert rotated.found_rotated == rotated.found
    assert not rotated.flag_ids & rotated.flag_ids_rotated
    assert rotated.published_rotated == len(rotated.found)
    assert rotated.app_flags_after == rotated.app_flags
    assert town.query("fraud", MARTS, rotated.home) == rotated.found


@pytest.mark.slow
def test_a_run_without_news_changes_nothing(town: Town, rotated: Rotated) -> None:
    assert all_rows(town, rotated.home) == rotated.rows_rotated
    assert sum(len(rows) for rows in rotated.rows_rotated["fraud"].values()) > 1000


def all_rows(town: Town, home: Home) -> dict[str, SourceRows]:
    return {purpose: source_rows(town, purpose, home) for purpose in town.policy.purposes}


def flag_ids(town: Town, home: Home) -> set[object]:
    return {row[0] for row in town.query("fraud", "SELECT flag_id FROM purpose.marts.fct_flag", home)}
