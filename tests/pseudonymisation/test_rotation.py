"""Keys rotated: nothing is lost, rows that come again find themselves, the erased stay out, the old key opens nothing."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pytest

from demo.postgres import DemoPostgres
from ingestion.quarantine import Quarantine, QuarantinedRow
from pseudonymisation.access.exports import remove_exports_of, write_export
from pseudonymisation.erasure.certificate import public_key_file, verify_certificate
from pseudonymisation.identify import accounts_by_pseudonym
from pseudonymisation.loading import PurposeLoad
from pseudonymisation.policy.model import Policy
from pseudonymisation.policy.reading import load_policy
from pseudonymisation.rotation import _move_held, _move_vault, _move_warehouse, move_files
from storage import KeyRing, LeiiError, Workspace
from storage.contents import unknown_files
from storage.keyring import end_rotation, load_or_create
from tests.pseudonymisation.conftest import NOON, Market, account, account_id, booking
from tests.pseudonymisation.erasure.conftest import Town, certificate_files, days_before_noon, postgres
from tests.pseudonymisation.rotated import (
    begin,
    finish,
    held_tables,
    in_order,
    next_layer,
    notices_tables,
    purpose_tables,
    rekeyed,
    rotate,
    uuids_in,
    vault_tables,
    workspace_of,
)

__all__ = ["postgres"]

ERASED, BOTH = 4, (1, 2)
EVENT = {
    "messageId": "m1",
    "type": "track",
    "event": "Search Performed",
    "receivedAt": "2026-11-14T10:00:00Z",
    "userId": account_id(1),
    "anonymousId": "cookie-1",
    "context": {},
}
BOOKED = ("accounting", "fraud")


@dataclass(frozen=True)
class Before:
    """A town in which somebody was banned, booked, and is erased; never changed by a test."""

    home: Path
    town: Town
    decision: dict[str, object]

    @property
    def policy(self) -> Policy:
        return self.town.market.policy

    @property
    def workspace(self) -> Workspace:
        return workspace_of(self.home)


@pytest.fixture(scope="module")
def before(postgres: DemoPostgres, tmp_path_factory: pytest.TempPathFactory) -> Before:
    home, policy = tmp_path_factory.mktemp("before") / "home", load_policy()
    load_or_create(home / "keyring.json", policy.purposes)
    workspace = workspace_of(home)
    town = Town(Market(workspace, policy), postgres)
    land(town)
    town.put("account_ban", {"account_id": account_id(ERASED), "reason": "x", "banned_at": days_before_noon(100)})
    town.market.load()
    decision = {"decision_id": 1, "flag_id": flags(workspace)[0], "decision": "upheld", "decided_at": NOON}
    town.market.land("fraud_flag_decision", decision)
    town.market.load()
    town.ask(ERASED)
    assert town.erase().blocked == ()
    return Before(home, town, decision)


def land(town: Town) -> None:
    """What a source that is read from the start brings, the erased person's rows too."""
    known = town.market.land if town.market.workspace.home.vault_file.exists() else town.put
    known("account", *(account(number) for number in (1, 2, 3, ERASED)))
    known("booking", booking(7, ERASED, 2), booking(8, 1, 2))
    login = {"at": NOON, "success": True, "ip": "10.1.2.3", "device_id": "device-1"}
    town.market.land("login", *({"login_id": n, "account_id": account_id(n), **login} for n in (1, ERASED)))
    town.market.land_events(EVENT)


def flags(workspace: Workspace) -> tuple[str, str]:
    """The first person's flag, as the app calls it and as the fraud purpose does."""
    found = accounts_by_pseudonym(workspace, "fraud", pa.table({"account_id": [account_id(1)]})).to_pylist()[0]
    assert found["flag_id"] == "flag_" + hashlib.md5(f"{found['pseudonym']}:flag".encode()).hexdigest()
    return found["app_flag_id"], found["flag_id"]


@pytest.fixture
def home(before: Before, tmp_path: Path) -> Path:
    """A copy to rotate."""
    shutil.copytree(before.home, tmp_path / "home", symlinks=True)
    return tmp_path / "home"


def opened_by(workspace: Workspace, old: KeyRing) -> list[str]:
    """The files that the old keyring opens still."""
    was = replace(workspace, keyring=old)
    looks: dict[str, Callable[[], object]] = {
        "accounting": lambda: purpose_tables(was, "accounting"),
        "fraud": lambda: purpose_tables(was, "fraud"),
        "vault": lambda: vault_tables(was),
        "held": lambda: held_tables(was),
    }
    refused = {}
    for name, look in looks.items():
        try:
            look()
        except LeiiError as error:
            refused[name] = str(error)
    assert not [why for why in refused.values() if "the key does not open it" not in why]
    return [name for name in looks if name not in refused]


@pytest.mark.parametrize("purpose", BOOKED)
def test_a_rotated_purpose_keeps_every_row_and_every_join_under_new_pseudonyms(
    before: Before, home: Path, purpose: str
) -> None:
    old = purpose_tables(before.workspace, purpose)
    after = rotate(home, before.policy, f"purpose:{purpose}")
    key = after.keyring.purpose_key(purpose, "pseudonym")
    expected = rekeyed(old, key)
    if purpose == "fraud":
        expected["app_db__fraud_flag_decision"][0]["flag_id"] = flags(after)[1]
        assert flags(after)[0] == before.decision["flag_id"] != flags(after)[1]
    assert purpose_tables(after, purpose) == expected
    assert uuids_in(old)
    assert not uuids_in(old) & uuids_in(purpose_tables(after, purpose))


@pytest.mark.parametrize("purpose", BOOKED)
def test_what_is_held_follows_its_purpose_and_nothing_else_changes(before: Before, home: Path, purpose: str) -> None:
    table = {"accounting": "row", "fraud": "identifier"}[purpose]
    old = held_tables(before.workspace)
    after = rotate(home, before.policy, f"purpose:{purpose}")
    changed = rekeyed({table: old[table]}, after.keyring.purpose_key(purpose, "pseudonym"))
    assert old[table]
    assert held_tables(after) == {**old, **changed}
    assert vault_tables(after) == vault_tables(before.workspace)
    other = next(name for name in BOOKED if name != purpose)
    assert purpose_tables(after, other) == purpose_tables(before.workspace, other)


def test_the_old_keyring_opens_nothing_that_was_rotated(before: Before, home: Path) -> None:
    old = before.workspace.keyring
    assert opened_by(workspace_of(home), old) == ["accounting", "fraud", "vault", "held"]
    assert opened_by(rotate(home, before.policy, "purpose:fraud"), old) == ["accounting", "vault"]
    after = rotate(home, before.policy, "vault")
    assert opened_by(after, old) == ["accounting"]
    kept = {*after.keyring.secrets.values(), *after.keyring.pending.values()}
    assert not {old.secrets[name] for name in ("purpose:fraud", "vault", "held")} & kept


def test_a_rotated_vault_knows_the_same_people_and_tombstones_under_new_hashes(before: Before, home: Path) -> None:
    old = vault_tables(before.workspace)
    after = rotate(home, before.policy, "vault")
    key = after.keyring.zone_key("vault", "alias")
    assert old["tombstone"]
    assert vault_tables(after) == rekeyed(old, key, keep=("subject_id", "case_id"))
    hashes = {str(row["alias_hash"]) for name in ("alias", "tombstone") for row in old[name]}
    assert not hashes & uuids_in(vault_tables(after))


def test_after_rotations_rows_that_come_again_find_themselves_and_the_erased_stay_out(
    before: Before, home: Path
) -> None:
    for name in ("purpose:fraud", "vault", "purpose:accounting", "vault", "purpose:fraud"):
        after = rotate(home, before.policy, name)
    standing = {purpose: purpose_tables(after, purpose) for purpose in before.policy.purposes}
    people = vault_tables(after)["subject"]
    loads = replay(before, after)
    assert loads["fraud"].tables["app_db__account"].refused_erased == 1
    assert loads["fraud"].tables["app_db__login"].refused_erased == 1
    assert loads["fraud"].tables["app_db__fraud_flag_decision"].loaded == 1
    for purpose in before.policy.purposes:
        assert without_batch(purpose_tables(after, purpose)) == without_batch(standing[purpose]), purpose
    assert vault_tables(after)["subject"] == people
    again = rotate(home, before.policy, "purpose:fraud")
    assert flags(again)[0] == before.decision["flag_id"]


def replay(before: Before, after: Workspace) -> dict[str, PurposeLoad]:
    before.town.market.workspace = after
    land(before.town)
    before.town.market.land("fraud_flag_decision", before.decision)
    return before.town.market.load()


def without_batch(tables: dict[str, list[dict[str, object]]]) -> dict[str, list[dict[str, object]]]:
    return {
        name: in_order([{k: v for k, v in row.items() if k != "_batch_id"} for row in rows])
        for name, rows in tables.items()
        if not name.startswith("_")
    }


def test_somebody_erased_after_a_rotation_takes_the_decisions_on_their_flag_along(before: Before, home: Path) -> None:
    after = rotate(home, before.policy, "purpose:fraud")
    before.town.market.workspace = after
    before.town.later(days=365)
    before.town.ask(1)
    assert before.town.erase().blocked == ()
    assert before.town.market.rows("fraud", "app_db__fraud_flag_decision") == []
    before.town.market.land("fraud_flag_decision", before.decision)
    assert before.town.market.load()["fraud"].tables["app_db__fraud_flag_decision"].refused_erased == 1
    before.town.sql("delete from app.privacy_request where account_id = %s", [account_id(1)])


@pytest.mark.parametrize("moved", ["nothing", "the warehouse", "both files"])
def test_a_rotation_of_a_purpose_that_was_cut_off_is_finished_and_then_as_if_it_had_not_been(
    before: Before, home: Path, moved: str
) -> None:
    begun = begin(home, "purpose:accounting")
    then = begun.keyring.after_rotation()
    if moved != "nothing":
        _move_warehouse(begun, before.policy, "accounting", then)
    if moved == "both files":
        _move_held(begun, then, ["accounting"])
    after = finish(home, before.policy)
    assert after.keyring == then
    key = then.purpose_key("accounting", "pseudonym")
    assert purpose_tables(after, "accounting") == rekeyed(purpose_tables(before.workspace, "accounting"), key)
    old = held_tables(before.workspace)
    assert held_tables(after) == {**old, **rekeyed({"row": old["row"]}, key)}
    assert unknown_files(after.home, before.policy.purposes) == unknown_files(
        before.workspace.home, before.policy.purposes
    )


def test_a_rotation_of_the_vault_that_was_cut_off_is_finished_and_hashes_nothing_twice(
    before: Before, home: Path
) -> None:
    begun = begin(home, "vault")
    then = begun.keyring.after_rotation()
    _move_vault(begun, then)
    _move_vault(begun, then)
    after = finish(home, before.policy)
    expected = rekeyed(vault_tables(before.workspace), then.zone_key("vault", "alias"), keep=("subject_id", "case_id"))
    assert vault_tables(after) == expected


def test_a_purpose_is_not_rotated_while_an_erasure_looks_for_its_pseudonyms(before: Before, home: Path) -> None:
    before.town.market.workspace = replace(workspace_of(home), now=NOON.replace(year=NOON.year + 1))
    number = before.town.ask(3)
    before.town.prepare()
    with pytest.raises(LeiiError, match="1 erasures are under way"):
        begin(home, "purpose:fraud")
    before.town.sql("delete from app.privacy_request where privacy_request_id = %s", [number])
    assert workspace_of(home).keyring.pending == {}


def test_an_export_is_still_found_by_its_person_after_the_vault_was_rotated(before: Before, home: Path) -> None:
    workspace = workspace_of(home)
    hashes = [str(row["alias_hash"]) for row in vault_tables(workspace)["alias"] if row["kind"] == "account"]
    name = write_export(workspace, alias_hash=hashes[0], privacy_request_id=9, page="side", data="{}").page.parent.name
    after = rotate(home, before.policy, "vault")
    key = after.keyring.zone_key("vault", "alias")
    assert not list(home.rglob(f"*{name.split('-')[1]}*"))
    assert remove_exports_of(after, [str(next_layer(key, hashes[1]))]) == 0
    assert remove_exports_of(after, [str(next_layer(key, hashes[0]))]) == 1


def test_quarantine_keeps_its_rows_and_dates_under_the_new_key(before: Before, home: Path) -> None:
    row = QuarantinedRow(source="events", position="f", line=1, reason_code="json", reason="no JSON", content=b"{x")
    workspace = workspace_of(home)
    for days, line in enumerate((1, 2)):
        Quarantine(replace(workspace, now=days_before_noon(days))).add([replace(row, line=line)])
    kept = Quarantine(workspace).list(with_content=True)
    begun = begin(home, "quarantine")
    move_files(begun, before.policy)
    after = finish(home, before.policy)
    assert Quarantine(after).list(with_content=True) == kept
    assert Quarantine(after).add([row]) == 0
    with pytest.raises(Exception, match=r"(?i)key"):
        Quarantine(workspace).list()


def test_unsent_notices_are_moved_as_they_are(before: Before, home: Path) -> None:
    old = notices_tables(before.workspace)
    assert old["content"]
    after = rotate(home, before.policy, "notices")
    assert notices_tables(after) == old
    with pytest.raises(LeiiError, match="the key does not open it"):
        notices_tables(replace(after, keyring=before.workspace.keyring))


def test_the_held_zone_alone_changes_only_its_key(before: Before, home: Path) -> None:
    after = rotate(home, before.policy, "held")
    assert held_tables(after) == held_tables(before.workspace)
    assert opened_by(after, before.workspace.keyring) == ["accounting", "fraud", "vault"]


def test_landing_is_rotated_only_when_nothing_waits_in_it(before: Before, home: Path) -> None:
    market = Market(workspace_of(home), before.policy)
    market.land("account", account(1))
    with pytest.raises(LeiiError, match="1 batches wait in landing"):
        begin(home, "landing")
    market.load()
    old = market.workspace.keyring.secrets["landing"]
    assert rotate(home, before.policy, "landing").keyring.secrets["landing"] != old


def test_certificates_of_both_keys_hold_by_either_public_key(before: Before, home: Path, tmp_path: Path) -> None:
    old_key = shutil.copy(public_key_file(workspace_of(home)), tmp_path / "old.pem")
    (first,) = certificate_files(home)
    for _ in range(2):
        after = rotate(home, before.policy, "certificate")
    assert public_key_file(after).read_bytes() != Path(old_key).read_bytes()
    assert verify_certificate(first, public_key_file(after)).problems == ()
    assert verify_certificate(first, Path(old_key)).problems == ()
    for change in home.glob("certificates/key_change-*"):
        change.write_text(change.read_text().replace('"last_number": 1', '"last_number": 2'))
    assert verify_certificate(first, public_key_file(after)).problems
    assert verify_certificate(first, Path(old_key)).problems == ()


def test_an_unknown_name_and_a_second_rotation_at_once_are_refused(before: Before, home: Path) -> None:
    with pytest.raises(LeiiError, match="no key 'fraud'"):
        begin(home, "fraud")
    begin(home, "held")
    with pytest.raises(LeiiError, match="held is not finished"):
        begin(home, "vault")
    end = finish(home, before.policy)
    assert end_rotation(end.home.default_keyring_file) == end.keyring


@pytest.mark.endurance
def test_a_rotation_killed_at_many_lines_is_rotated_once_and_whole_by_the_next(before: Before, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.pseudonymisation.rotation_killed", str(before.home), str(tmp_path), "11", "83"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout.split()[-1]) >= 5
