"""Keys: made once, kept from others, and each good for one use."""

import base64
from pathlib import Path

import pytest

from storage.keyring import (
    KeyRingError,
    add_missing,
    begin_rotation,
    create_keyring,
    end_rotation,
    load_keyring,
    load_or_create,
)


def test_a_new_keyring_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    create_keyring(tmp_path / "keys.json", ["fraud"])
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600


def test_a_keyring_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    create_keyring(path, ["fraud"])
    path.chmod(0o644)
    with pytest.raises(KeyRingError, match="chmod 600"):
        load_keyring(str(path))


def test_the_second_run_reads_the_first_ones_keys(tmp_path: Path) -> None:
    first = load_or_create(tmp_path / "keys.json", ["fraud"])
    assert load_or_create(tmp_path / "keys.json", ["fraud"]).secrets == first.secrets


def test_no_two_uses_and_no_two_purposes_share_a_key(tmp_path: Path) -> None:
    ring = create_keyring(tmp_path / "keys.json", ["fraud", "matching"])
    keys = [ring.purpose_key(p, use) for p in ("fraud", "matching") for use in ("pseudonym", "warehouse", "published")]
    keys += [ring.zone_key(zone) for zone in ("landing", "vault", "held", "quarantine")] + [
        ring.zone_key("vault", "alias")
    ]
    assert len(set(keys)) == len(keys)


def test_a_readers_keyring_opens_the_published_copies_it_is_for_and_no_warehouse(tmp_path: Path) -> None:
    ring = create_keyring(tmp_path / "keys.json", ["fraud", "matching"])
    narrow = load_keyring(ring.for_readers(["fraud"]).as_text())
    assert narrow.purpose_key("fraud", "published") == ring.purpose_key("fraud", "published")
    with pytest.raises(KeyRingError, match="published:matching"):
        narrow.purpose_key("matching", "published")
    with pytest.raises(KeyRingError, match="purpose:fraud"):
        narrow.purpose_key("fraud", "warehouse")
    with pytest.raises(KeyRingError, match="vault"):
        narrow.zone_key("vault")


def test_a_keyring_never_shows_its_secrets(tmp_path: Path) -> None:
    ring = create_keyring(tmp_path / "keys.json", ["fraud"])
    assert not [secret for secret in ring.secrets.values() if repr(secret) in repr(ring)]


def test_keys_are_taken_from_text_as_an_environment_may_hold_it(tmp_path: Path) -> None:
    ring = create_keyring(tmp_path / "keys.json", ["fraud"])
    assert load_keyring((tmp_path / "keys.json").read_text()).secrets == ring.secrets


@pytest.mark.parametrize("text", ["{", "{}", '{"keys": {"vault": "not base64!"}}', '{"keys": {"vault": "c2hvcnQ="}}'])
def test_a_damaged_keyring_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(KeyRingError) as refusal:
        load_keyring(text)
    assert "not base64!" not in str(refusal.value)


def test_a_rotation_keeps_both_roots_until_it_ends_and_then_the_old_one_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    before = create_keyring(path, ["fraud"])
    begun = begin_rotation(path, ["purpose:fraud"])
    assert begun.secrets == before.secrets
    after = end_rotation(path)
    assert after == begun.after_rotation() == load_keyring(str(path))
    assert after.secrets["purpose:fraud"] == begun.pending["purpose:fraud"] != before.secrets["purpose:fraud"]
    assert after.secrets["vault"] == before.secrets["vault"]
    assert after.pending == {}
    old = base64.b64encode(before.secrets["purpose:fraud"]).decode()
    assert old not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_keyring_that_a_killed_process_left_half_named_goes_with_the_next_writing(tmp_path: Path) -> None:
    path, left = tmp_path / "keys.json", tmp_path / ".keys.json.4711.tmp"
    create_keyring(path, ["fraud"])
    left.write_bytes(path.read_bytes())
    begin_rotation(path, ["vault"])
    end_rotation(path)
    assert [file.name for file in tmp_path.iterdir()] == ["keys.json"]


def test_of_a_rotated_root_only_the_hmac_key_stays_as_the_layer_under_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    before = create_keyring(path, ["fraud"])
    begin_rotation(path, ["purpose:fraud"])
    after = end_rotation(path)
    assert after.pseudonym_keys("fraud") == (
        before.purpose_key("fraud", "pseudonym"),
        after.purpose_key("fraud", "pseudonym"),
    )
    assert after.alias_keys() == before.alias_keys() == (before.zone_key("vault", "alias"),)
    assert after.purpose_key("fraud", "warehouse") != before.purpose_key("fraud", "warehouse")


def test_only_one_rotation_is_under_way_and_unknown_names_have_none(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    create_keyring(path, ["fraud"])
    with pytest.raises(KeyRingError, match="purpose:matching"):
        begin_rotation(path, ["purpose:matching"])
    begin_rotation(path, ["vault"])
    with pytest.raises(KeyRingError, match="vault is not finished"):
        begin_rotation(path, ["held"])


def test_new_names_and_readers_keep_and_get_no_layer_of_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    create_keyring(path, ["fraud"])
    begin_rotation(path, ["purpose:fraud"])
    end_rotation(path)
    begun = begin_rotation(path, ["vault"])
    add_missing(path, ["fraud", "matching"])
    grown = load_keyring(str(path))
    assert (grown.layers, grown.pending) == (begun.layers, begun.pending)
    narrow = grown.for_readers(["fraud"])
    assert (list(narrow.secrets), narrow.layers, narrow.pending) == (["published:fraud"], {}, {})


def test_missing_keys_are_added_and_none_that_is_there_changes(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    before = create_keyring(path, ["fraud"])
    assert add_missing(path, ["fraud", "matching"]) == ["purpose:matching", "published:matching"]
    after = load_keyring(str(path))
    assert {name: after.secrets[name] for name in before.secrets} == before.secrets
    assert add_missing(path, ["fraud", "matching"]) == []
