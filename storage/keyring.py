"""The keys: one random secret a name, from a file with mode 0600 or from the environment.

What others get is derived from a root secret for one use (RFC 5869). The published copy has a root of its own, which is
all that a reader is given: from it no key of the warehouse and no pseudonym can be computed.

A rotation gives a name a new root and destroys the old one. What was computed from raw identifiers under the old root
cannot be computed anew, since they are gone; so it is keyed once more under the new root, and of the old root the
derived HMAC key is kept as an inner layer. A layer alone is worth nothing: what is stored is the outermost layer's.
While files are moved to the new root, the keyring holds both (`pending`).
"""

import base64
import json
import os
import secrets
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from storage.durable import write_durably
from storage.errors import LeiiError

ZONE_NAMES = ("landing", "quarantine", "vault", "held", "notices", "certificate")
USES = ("pseudonym", "warehouse", "published")


class KeyRingError(LeiiError):
    """The keyring is missing, open to others, damaged, or has no such key."""


@dataclass(frozen=True)
class KeyRing:
    """Root secrets by name; 32 bytes each.

    `layers`: by name, the HMAC keys of the roots before this one, the first root's first. `pending`: by name, the root
    that a rotation is moving to.
    """

    secrets: Mapping[str, bytes] = field(repr=False)
    layers: Mapping[str, tuple[bytes, ...]] = field(repr=False, default_factory=dict)
    pending: Mapping[str, bytes] = field(repr=False, default_factory=dict)

    def zone_key(self, zone: str, use: str = "file") -> bytes:
        """32 bytes for one use of a zone (landing, quarantine, vault, held, notices, certificate)."""
        return self._derive(zone, use)

    def purpose_key(self, purpose: str, use: str) -> bytes:
        """32 bytes for one use (pseudonym, warehouse, published) of one purpose."""
        if use not in USES:
            raise KeyRingError(f"no use {use!r} of a purpose's key: the uses are {', '.join(USES)}")
        return self._derive(f"published:{purpose}" if use == "published" else f"purpose:{purpose}", use)

    def pseudonym_keys(self, purpose: str) -> tuple[bytes, ...]:
        """The keys under which a value becomes this purpose's pseudonym, one after the other: the first root's first."""
        return (*self.layers.get(f"purpose:{purpose}", ()), self.purpose_key(purpose, "pseudonym"))

    def alias_keys(self) -> tuple[bytes, ...]:
        """The keys under which an identifier becomes the vault's alias hash, as `pseudonym_keys`."""
        return (*self.layers.get("vault", ()), self.zone_key("vault", "alias"))

    def after_rotation(self) -> "KeyRing":
        """This keyring when every file has been moved: pending roots are the roots, and the roots before them gone."""
        layers = dict(self.layers)
        for name in self.pending:
            if (use := _layered_use(name)) is not None:
                layers[name] = (*layers.get(name, ()), self._derive(name, use))
        return KeyRing({**self.secrets, **self.pending}, layers)

    def for_readers(self, purposes: Iterable[str]) -> "KeyRing":
        """A keyring that opens the published copies of these purposes, as far as this one does, and nothing else."""
        names = {f"published:{purpose}" for purpose in purposes}
        return KeyRing({name: secret for name, secret in self.secrets.items() if name in names})

    def as_text(self) -> str:
        """The JSON that `load_keyring` reads."""
        content: dict[str, object] = {"version": 1, "keys": _encoded(self.secrets)}
        if self.layers:
            content["layers"] = {
                name: [base64.b64encode(key).decode() for key in keys] for name, keys in sorted(self.layers.items())
            }
        if self.pending:
            content["pending"] = _encoded(self.pending)
        return json.dumps(content, indent=2)

    def _root(self, name: str) -> bytes:
        if name not in self.secrets:
            raise KeyRingError(f"the keyring has no key {name!r}: `leii keys add` makes those that the policy needs")
        return self.secrets[name]

    def _derive(self, name: str, use: str) -> bytes:
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"leii:{name}:{use}".encode()).derive(
            self._root(name)
        )


def key_text(key: bytes) -> str:
    """A key as DuckDB's ENCRYPTION_KEY takes it: base64 without a character that SQL would read."""
    return base64.urlsafe_b64encode(key).decode()


def names_for(purposes: Iterable[str]) -> list[str]:
    """Every name that a complete keyring has."""
    return [*ZONE_NAMES, *(f"{kind}:{purpose}" for purpose in purposes for kind in ("purpose", "published"))]


def create_keyring(path: Path, purposes: Iterable[str]) -> KeyRing:
    """Write a new random keyring with mode 0600. Refuses to touch one that is there."""
    if path.exists():
        raise KeyRingError(f"{path} exists already: a keyring is never overwritten")
    ring = KeyRing({name: secrets.token_bytes(32) for name in names_for(purposes)})
    _write(path, ring)
    return ring


def load_keyring(source: str) -> KeyRing:
    """Read a keyring from a file's path, or from JSON text (as an environment variable may hold it)."""
    if source.lstrip().startswith("{"):
        return _parse(source, where="the keyring in LEII_KEYRING")
    path = Path(source)
    if not path.exists():
        raise KeyRingError(f"no keyring at {path}: set LEII_KEYRING to its file, or run `leii keys create`")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise KeyRingError(f"{path} has mode {mode:04o} and others can read it: run `chmod 600 {path}`")
    return _parse(path.read_text(), where=str(path))


def add_missing(path: Path, purposes: Iterable[str]) -> list[str]:
    """Make the keys that a complete keyring has and this one lacks; returns their names. None that is there changes."""
    ring = load_keyring(str(path))
    missing = [name for name in names_for(purposes) if name not in ring.secrets]
    if missing:
        _write(path, replace(ring, secrets={**ring.secrets, **{name: secrets.token_bytes(32) for name in missing}}))
    return missing


def begin_rotation(path: Path, names: Iterable[str]) -> KeyRing:
    """Write new random roots for these names beside the old ones. Refuses while an earlier rotation is not finished."""
    ring = load_keyring(str(path))
    if ring.pending:
        raise KeyRingError(f"{path}: the rotation of {', '.join(sorted(ring.pending))} is not finished")
    for name in names:
        ring._root(name)
    begun = replace(ring, pending={name: secrets.token_bytes(32) for name in names})
    _write(path, begun)
    return begun


def end_rotation(path: Path) -> KeyRing:
    """Destroy the old roots. To be called when no file needs them any more."""
    ended = load_keyring(str(path)).after_rotation()
    _write(path, ended)
    return ended


def load_or_create(path: Path, purposes: Iterable[str]) -> KeyRing:
    """The keyring at this path; the first run makes one."""
    if path.exists():
        return load_keyring(str(path))
    return create_keyring(path, purposes)


def _parse(text: str, *, where: str) -> KeyRing:
    try:
        content = json.loads(text)
        roots = _decoded(content["keys"])
        pending = _decoded(content.get("pending", {}))
        layers = {
            name: tuple(base64.b64decode(value, validate=True) for value in values)
            for name, values in content.get("layers", {}).items()
        }
    except (ValueError, KeyError, AttributeError, TypeError):
        raise KeyRingError(f'{where} cannot be read: it must be JSON with "keys", each 32 bytes in base64') from None
    keys = [*roots.items(), *pending.items(), *((name, key) for name, each in layers.items() for key in each)]
    short = sorted({name for name, key in keys if len(key) != 32})
    if short:
        raise KeyRingError(f"{where}: these keys are not 32 bytes long: {', '.join(short)}")
    return KeyRing(roots, layers, pending)


def _layered_use(name: str) -> str | None:
    """The use of a root under which stored values are keyed that nothing can compute anew; None if it has no such use."""
    if name == "vault":
        return "alias"
    return "pseudonym" if name.startswith("purpose:") else None


def _encoded(keys: Mapping[str, bytes]) -> dict[str, str]:
    return {name: base64.b64encode(key).decode() for name, key in sorted(keys.items())}


def _decoded(keys: Mapping[str, str]) -> dict[str, bytes]:
    return {name: base64.b64decode(value, validate=True) for name, value in keys.items()}


def _write(path: Path, ring: KeyRing) -> None:
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):  # a killed process leaves a whole keyring behind
        leftover.unlink(missing_ok=True)
    write_durably(path, ring.as_text().encode() + os.linesep.encode(), mode=0o600)
