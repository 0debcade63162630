"""Keys: made once, kept from others, and each good for one use."""

from pathlib import Path

import pytest

from storage.keyring import KeyRingError, add_missing, create_keyring, load_keyring, load_or_create, replace_secret


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


def test_a_replaced_secret_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    before = create_keyring(path, ["fraud"])
    after = replace_secret(path, "purpose:fraud")
    assert after.secrets["purpose:fraud"] != before.secrets["purpose:fraud"]
    assert after.secrets["vault"] == before.secrets["vault"]
    assert load_keyring(str(path)).secrets == after.secrets


def test_missing_keys_are_added_and_none_that_is_there_changes(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    before = create_keyring(path, ["fraud"])
    assert add_missing(path, ["fraud", "matching"]) == ["purpose:matching", "published:matching"]
    after = load_keyring(str(path))
    assert {name: after.secrets[name] for name in before.secrets} == before.secrets
    assert add_missing(path, ["fraud", "matching"]) == []
