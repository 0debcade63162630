"""The vault as a test reads it: who is known by which secret, what an erasure must tombstone, and what a person is
called in each purpose, all computed here and not by the code that is tested."""

import hashlib
import hmac
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from pseudonymisation.vault import open_vault
from storage import KeyRing, Workspace, attached

FLAGS = "fraud"
_LIVING_LINKS = """
    SELECT DISTINCT cookie_hash, account_hash FROM vault.cookie_link
    WHERE account_hash NOT IN (SELECT alias_hash FROM vault.tombstone)
"""


@dataclass(kw_only=True)
class KnownPeople:
    """What the vault has known over several passes. Keys are the keyed hashes of aliases."""

    secrets: dict[uuid.UUID, bytes] = field(default_factory=dict)
    aliases: dict[uuid.UUID, tuple[str, uuid.UUID]] = field(default_factory=dict)
    links: set[tuple[uuid.UUID, uuid.UUID]] = field(default_factory=set)

    def learn(self, workspace: Workspace) -> None:
        """Add what the vault knows now; cookies are whose they are now."""
        self.secrets |= dict(rows_of(workspace, "SELECT subject_id, secret FROM vault.subject"))
        self.aliases |= {
            alias: (kind, subject)
            for alias, kind, subject in rows_of(workspace, "SELECT alias_hash, kind, subject_id FROM vault.alias")
        }
        self.links = set(rows_of(workspace, _LIVING_LINKS))

    def cookies_of(self, accounts: Collection[uuid.UUID]) -> set[uuid.UUID]:
        """The cookies that nobody else has used who is not erased."""
        users: defaultdict[uuid.UUID, set[uuid.UUID]] = defaultdict(set)
        for cookie, user in self.links:
            users[cookie].add(user)
        return {cookie for cookie, used_by in users.items() if used_by <= set(accounts)}

    def aliases_of(self, account: uuid.UUID) -> set[uuid.UUID]:
        """Every alias of the person behind an account: of the same subject, and cookies that nobody else has used."""
        if account not in self.aliases:
            return {account}
        subject = self.aliases[account][1]
        own = {alias for alias, (_, known) in self.aliases.items() if known == subject}
        return own | self.cookies_of([account])

    def pseudonyms(self, ring: KeyRing, purpose: str, aliases: Iterable[uuid.UUID]) -> set[uuid.UUID]:
        """What a purpose calls the people behind these aliases."""
        key = ring.purpose_key(purpose, "pseudonym")
        return {keyed(key, self.secrets[self.aliases[alias][1]]) for alias in aliases if alias in self.aliases}

    def flag_ids(self, ring: KeyRing, aliases: Iterable[uuid.UUID]) -> set[str]:
        """What the app calls fraud flags about these people."""
        return {flag_id(pseudonym) for pseudonym in self.pseudonyms(ring, FLAGS, aliases)}

    def write_vault(self, workspace: Workspace, tombstones: Collection[uuid.UUID]) -> None:
        """A vault that knows everybody but those behind the tombstones."""
        living = {alias: known for alias, known in self.aliases.items() if alias not in tombstones}
        subjects = {subject for _, subject in living.values()}
        with workspace.connect() as con, open_vault(con, workspace):
            con.executemany(
                "INSERT INTO vault.subject VALUES (?, ?)", [(subject, self.secrets[subject]) for subject in subjects]
            )
            con.executemany("INSERT INTO vault.alias VALUES (?, ?, ?)", [(a, *known) for a, known in living.items()])
            if tombstones:
                con.executemany("INSERT INTO vault.tombstone VALUES (?, NULL)", [(one,) for one in tombstones])


def tombstones_of(known: KnownPeople, ring: KeyRing, accounts: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """What the erasure of these accounts must leave in the vault."""
    erased = set(accounts)
    found = known.cookies_of(erased)
    for account in erased:
        aliases = known.aliases_of(account)
        flags = known.flag_ids(ring, [account])
        found |= aliases | {alias_hash(ring, "fraud_flag", flag) for flag in flags}
    return found


def alias_hash(ring: KeyRing, kind: str, value: str) -> uuid.UUID:
    return keyed(ring.zone_key("vault", "alias"), f"{kind}\x1f{value}".encode())


def flag_id(pseudonym: uuid.UUID) -> str:
    return "flag_" + hashlib.md5(f"{pseudonym}:flag".encode(), usedforsecurity=False).hexdigest()


def keyed(key: bytes, message: bytes) -> uuid.UUID:
    return uuid.UUID(hmac.new(key, message, hashlib.sha256).hexdigest()[:32])


def rows_of(workspace: Workspace, sql: str) -> list[Any]:
    """Ask the vault, attached as `vault`; rows are tuples."""
    key = workspace.keyring.zone_key("vault")
    with workspace.connect() as con, attached(con, workspace.home.vault_file, "vault", key, read_only=True):
        return con.execute(sql).fetchall()
