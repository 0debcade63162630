"""The keys to try on an encrypted file: all that the keyring has, for a file may lie where another belongs."""

import base64
import binascii

from storage import KeyRing
from storage.keyring import key_text


def database_keys(keyring: KeyRing) -> list[bytes]:
    """Of the vault, the held zone, every warehouse and every published copy."""
    found = []
    for name in sorted(keyring.secrets):
        kind, _, purpose = name.partition(":")
        if kind == "purpose" and purpose:
            found.append(keyring.purpose_key(purpose, "warehouse"))
        elif kind == "published" and purpose:
            found.append(keyring.purpose_key(purpose, "published"))
    return found + zone_keys(keyring)


def zone_keys(keyring: KeyRing) -> list[bytes]:
    """Of landing, quarantine and the other zones."""
    return [keyring.zone_key(name) for name in sorted(keyring.secrets) if ":" not in name]


def as_duckdb_has_it(key: bytes) -> list[bytes]:
    """What DuckDB makes of the text of a key: the bytes that it stands for if it is base64, or else its letters."""
    text = key_text(key)
    try:
        return [base64.b64decode(text, validate=True), text.encode()]
    except binascii.Error:
        return [text.encode()]
