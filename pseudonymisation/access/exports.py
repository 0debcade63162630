"""Where exports lie, and how they go: after a set time, and with the person whom they are about.

A folder is named by the moment it goes, a keyed hash of the person's alias and one of the request: whoever has the key
and an alias finds the exports of that person, and nobody else learns from the name whose they are.
"""

import hashlib
import hmac
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from storage import KeyRing, Workspace, write_durably
from storage.durable import fsync_folder

KEPT_FOR = timedelta(days=14)
PAGE, DATA = "innsyn.html", "innsyn.json"

_NAME = re.compile(r"(\d{8}T\d{6}Z)-([0-9a-f]{32})-([0-9a-f]{16})")
_NAME_TIME = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, kw_only=True)
class WrittenExport:
    """Both files of one export, and when they go."""

    page: Path
    data: Path
    deletes_itself_at: datetime


def write_export(
    workspace: Workspace, *, alias_hash: str, privacy_request_id: int, page: str, data: str
) -> WrittenExport:
    """Write both files, readable by their owner alone; an earlier export of the same request goes."""
    person, request = _person(workspace, alias_hash), _request(workspace, privacy_request_id)
    goes_at = workspace.now + KEPT_FOR
    folder = _root(workspace) / f"{goes_at.astimezone(UTC).strftime(_NAME_TIME)}-{person}-{request}"
    _root(workspace).mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = folder.with_name(f".{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    write_durably(unfinished / PAGE, page.encode())
    write_durably(unfinished / DATA, data.encode())
    _remove(path for path in _folders(workspace) if path.name.endswith(f"-{person}-{request}"))
    unfinished.rename(folder)
    fsync_folder(folder.parent)
    return WrittenExport(page=folder / PAGE, data=folder / DATA, deletes_itself_at=goes_at)


def remove_expired_exports(workspace: Workspace) -> int:
    """Remove the exports whose time has come, and what a killed command left. Returns how many exports."""
    root = _root(workspace)
    _remove(root.glob(".*"))
    return _remove(path for path in _folders(workspace) if _goes_at(path) <= workspace.now)


def remove_exports_of(workspace: Workspace, alias_hashes: Iterable[str]) -> int:
    """Remove every export about the people whom the vault knows by these alias hashes (UUIDs as text). Returns how many."""
    folders = _folders(workspace)
    if not folders:
        return 0
    people = {_person(workspace, alias_hash) for alias_hash in alias_hashes}
    return _remove(path for path in folders if path.name.split("-")[1] in people)


def rename_exports(workspace: Workspace, after: KeyRing, hashes: Callable[[], Mapping[str, str]]) -> None:
    """Name every export by the keyring that a rotation leads to.

    `hashes` gives the alias hashes of accounts, from what they are to what they become; it is asked only if there is an
    export. An export that is named so already stays as it is.
    """
    folders = _folders(workspace)
    if not folders:
        return
    then = replace(workspace, keyring=after)
    renamed = {_person(workspace, old): _person(then, new) for old, new in hashes().items()}
    for folder in folders:
        goes_at, person, request = folder.name.split("-")
        if person in renamed:
            new_request = _keyed(then, f"renamed:{request}")[:16]  # which request it was is not known here
            folder.rename(folder.with_name(f"{goes_at}-{renamed[person]}-{new_request}"))
    fsync_folder(_root(workspace))


def _root(workspace: Workspace) -> Path:
    return workspace.home.exports / "access"


def _folders(workspace: Workspace) -> list[Path]:
    root = _root(workspace)
    return [path for path in root.iterdir() if _NAME.fullmatch(path.name)] if root.is_dir() else []


def _goes_at(folder: Path) -> datetime:
    return datetime.strptime(folder.name.split("-")[0], _NAME_TIME).replace(tzinfo=UTC)


def _person(workspace: Workspace, alias_hash: str) -> str:
    return _keyed(workspace, f"person:{alias_hash}")[:32]


def _request(workspace: Workspace, privacy_request_id: int) -> str:
    return _keyed(workspace, f"request:{privacy_request_id}")[:16]


def _keyed(workspace: Workspace, text: str) -> str:
    return hmac.new(workspace.keyring.zone_key("vault", "export"), text.encode(), hashlib.sha256).hexdigest()


def _remove(folders: Iterable[Path]) -> int:
    gone = list(folders)
    for folder in gone:
        shutil.rmtree(folder)
    if gone:
        fsync_folder(gone[0].parent)
    return len(gone)
