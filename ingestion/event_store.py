"""Where the event files lie, a folder or an S3 bucket, and which of them are new, without listing all of them again.

The rule. The root is listed for its day folders (`dt=YYYY-MM-DD/`: the day of receipt), which on S3 is one request a
thousand days. Of these are listed: every folder that has never been listed, or had a file that could not be opened;
every folder from LOOK_BACK_DAYS before the newest one on, for files that come late; and OLDER_FOLDERS_A_PASS of the
older ones in turn, so that a file that is later still is found when its folder's turn comes, and never lost. A pass
over a root without news thus makes at most 2 + LOOK_BACK_DAYS + OLDER_FOLDERS_A_PASS requests, however many files
there are, as long as no folder of those holds more than a thousand and none is dated in the future. Within a folder a
file is new if the manifest does not know it, or knows it with another size or time: one that has grown is read again, and
message ids tell what of it is known.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import urlsplit

from pyarrow import fs

from storage import LeiiError, Workspace

LOOK_BACK_DAYS = 14
OLDER_FOLDERS_A_PASS = 4
READ_AHEAD_BYTES = 4 << 20
S3_ATTEMPTS = 5
S3_TIMEOUT_SECONDS = 30

_DAY = re.compile(r"dt=(\d{4}-\d{2}-\d{2})")
_FILE = re.compile(r"[^./][^/]*\.jsonl\.gz")


@dataclass(frozen=True, kw_only=True)
class S3Access:
    """How to reach an object store; what is None is found by AWS's own rules (its environment, profile or role)."""

    endpoint: str | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class EventStore:
    """An opened root. `files` is a file system of pyarrow's; `root` is the folder in it, without a slash at the end."""

    files: Any
    root: str

    def open(self, path: str) -> IO[bytes]:
        """The bytes of one file as they lie. Raises OSError."""
        return cast("IO[bytes]", self.files.open_input_stream(path, compression=None, buffer_size=READ_AHEAD_BYTES))


@dataclass(frozen=True, kw_only=True)
class EventFile:
    """One file as it was listed. `name` is relative to the root; `version` changes whenever the file does."""

    name: str
    path: str
    version: str
    manifest_id: str

    @property
    def folder(self) -> str:
        return self.name.split("/", maxsplit=1)[0]


@dataclass(frozen=True, kw_only=True)
class Found:
    """The files that are new. `listed`: every day folder that has been listed once; `older`: the last of the older ones
    that had its turn."""

    files: tuple[EventFile, ...]
    listed: frozenset[str]
    older: str

    def cursor(self, unread: Sequence[EventFile] = ()) -> dict[str, Any]:
        """What to give to the next pass; the folders of `unread` files are then listed again."""
        again = {file.folder for file in unread}
        return {"listed": sorted(self.listed - again), "older": self.older}


def open_store(root: str, s3: S3Access | None = None) -> EventStore:
    """Open a folder or `s3://bucket/prefix`. Raises LeiiError when it is of another kind, or not there."""
    if not root.startswith("s3://"):
        if "://" in root:
            scheme = root.split("://", maxsplit=1)[0]
            raise LeiiError(f"LEII_EVENTS_ROOT is of a kind that cannot be read ({scheme}://): use a folder or s3://")
        if not Path(root).is_dir():
            raise LeiiError("LEII_EVENTS_ROOT is not a folder: set it to the one that holds dt=YYYY-MM-DD/")
        return EventStore(files=fs.LocalFileSystem(), root=str(Path(root).absolute()))
    return EventStore(files=_s3(s3 or S3Access()), root=root.removeprefix("s3://").rstrip("/"))


def new_event_files(
    workspace: Workspace, store: EventStore, seen: Mapping[str, str], cursor: Mapping[str, Any]
) -> Found:
    """The files that are not in the manifest `seen`, or have changed since, in order of name; see the rule above.

    `cursor` is what `Found.cursor` gave to the pass before. The manifest knows a file by a keyed hash of its name,
    because others name the files. Raises LeiiError when the store cannot be listed.
    """
    folders = _day_folders(store)
    listed = frozenset(cursor.get("listed", ()))
    recent = _look_back(folders, workspace.now)
    older = sorted(set(folders) & listed - recent)
    turn = _turn(older, str(cursor.get("older", "")))
    wanted = [name for name in folders if name in recent or name not in listed or name in turn]
    files = [file for name in wanted for file in _list_folder(workspace, store, name)]
    return Found(
        files=tuple(file for file in files if seen.get(file.manifest_id) != file.version),
        listed=frozenset(folders),
        older=turn[-1] if turn else "",
    )


def all_event_files(workspace: Workspace, store: EventStore) -> list[EventFile]:
    """Every event file, in order of name."""
    return [file for name in _day_folders(store) for file in _list_folder(workspace, store, name)]


def recent_mark(store: EventStore, now: datetime) -> str:
    """A digest that changes when a day folder comes, or a file in one of those that every pass lists comes or changes."""
    folders = _day_folders(store)
    recent = sorted(_look_back(folders, now))
    infos = [info for name in recent for info in _listing(store, f"{store.root}/{name}")]
    lines = [*folders, *sorted(f"{info.path} {info.size} {info.mtime_ns}" for info in infos)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _s3(access: S3Access) -> Any:
    endpoint = urlsplit(access.endpoint) if access.endpoint else None
    given = {
        "access_key": access.access_key_id,
        "secret_key": access.secret_access_key,
        "region": access.region,
        "endpoint_override": endpoint.netloc if endpoint else None,
        "scheme": endpoint.scheme if endpoint else None,
    }
    return fs.S3FileSystem(
        **{name: value for name, value in given.items() if value is not None},
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=S3_ATTEMPTS),
        connect_timeout=S3_TIMEOUT_SECONDS,
        request_timeout=S3_TIMEOUT_SECONDS,
    )


def _day_folders(store: EventStore) -> list[str]:
    infos = _listing(store, store.root)
    names = (info.base_name.rstrip("/") for info in infos if info.type == fs.FileType.Directory)
    return sorted(name for name in names if _day_of(name) is not None)


def _list_folder(workspace: Workspace, store: EventStore, folder: str) -> list[EventFile]:
    key = workspace.keyring.zone_key("landing", "manifest")
    infos = [
        info
        for info in _listing(store, f"{store.root}/{folder}")
        if info.type == fs.FileType.File and _FILE.fullmatch(info.base_name)
    ]
    return [_event_file(info, folder, key) for info in sorted(infos, key=lambda info: str(info.base_name))]


def _event_file(info: Any, folder: str, key: bytes) -> EventFile:
    name = f"{folder}/{info.base_name}"
    return EventFile(
        name=name,
        path=info.path,
        version=f"{info.size}|{info.mtime_ns}",
        manifest_id=hmac.new(key, name.encode(), hashlib.sha256).hexdigest()[:32],
    )


def _listing(store: EventStore, path: str) -> list[Any]:
    try:
        return list(store.files.get_file_info(fs.FileSelector(path, recursive=False)))
    except OSError as error:
        raise LeiiError(f"LEII_EVENTS_ROOT cannot be listed: {_cause(str(error))}") from None


def _cause(message: str) -> str:
    """In our words: the store's own repeat names and keys."""
    causes = {
        "NO_SUCH_BUCKET": "there is no such bucket or folder",
        "does not exist": "there is no such bucket or folder",
        "not found": "there is no such bucket or folder",
        "ACCESS_DENIED": "the store refuses it (check the key and its right to list and read)",
        "INVALID_ACCESS_KEY_ID": "the store does not know the access key",
        "SIGNATURE_DOES_NOT_MATCH": "the secret access key is wrong",
        "PermanentRedirect": "the bucket lies in another region (set LEII_S3_REGION)",
        "Permission denied": "this process has no right to read it",
    }
    return next((cause for sign, cause in causes.items() if sign in message), "the store does not answer")


def _look_back(folders: Sequence[str], now: datetime) -> frozenset[str]:
    """The folders that every pass lists. One dated later than tomorrow (a wrong clock) is listed, but does not count as the
    newest."""
    latest = (max(now, datetime.now(UTC)) + timedelta(days=1)).date()
    days = {name: day for name in folders if (day := _day_of(name)) is not None}
    newest = max((day for day in days.values() if day <= latest), default=latest)
    return frozenset(name for name, day in days.items() if day >= newest - timedelta(days=LOOK_BACK_DAYS))


def _turn(older: Sequence[str], last: str) -> list[str]:
    """The older folders whose turn it is: those after the last one, and from the beginning again."""
    after = [name for name in older if name > last]
    return [*after, *(name for name in older if name <= last)][:OLDER_FOLDERS_A_PASS]


def _day_of(name: str) -> date | None:
    found = _DAY.fullmatch(name)
    try:
        return date.fromisoformat(found.group(1)) if found else None
    except ValueError:
        return None
