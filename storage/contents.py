"""What may lie under LEII_HOME, by place and name: a file that nothing here names is nobody's to purge, scan or explain."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from storage.home import Home

_TIME = r"\d{8}T\d{6}Z"
_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_UNFINISHED = r"\.[^/]+\.\d+(\.tmp|\.new(\.wal)?)"
"""What `write_durably` and `compact_copy` write before it gets its name."""


@dataclass(frozen=True, kw_only=True)
class FileKind:
    """Files whose path under LEII_HOME is all of `pattern`; {purpose} in it stands for every purpose of the policy."""

    zone: str
    pattern: str
    holds: str


KINDS = (
    FileKind(zone="landing", pattern=r"landing/[a-z0-9_-]+\.(parquet|tmp)", holds="encrypted batches"),
    FileKind(zone="landing", pattern=r"landing/register\.sqlite(-journal|-wal|-shm)?", holds="who took which batch"),
    FileKind(zone="landing", pattern=r"landing/landing\.lock", holds="nothing"),
    FileKind(zone="quarantine", pattern=rf"quarantine/{_TIME}-[0-9a-f]{{32}}\.(parquet|tmp)", holds="encrypted rows"),
    FileKind(
        zone="registries",
        pattern=r"registries/enhetsregisteret\.(parquet|tmp)",
        holds="answers of public registers, encrypted, under keyed hashes",
    ),
    FileKind(zone="vault", pattern=r"vault/vault\.duckdb(\.wal)?", holds="who is who, encrypted"),
    FileKind(zone="warehouse", pattern=r"warehouse/{purpose}\.duckdb(\.wal)?", holds="a purpose's tables, encrypted"),
    FileKind(
        zone="published", pattern=rf"published/{{purpose}}/{_TIME}-\d+\.duckdb", holds="a published copy, encrypted"
    ),
    FileKind(
        zone="published", pattern=r"published/{purpose}/\.?current\.duckdb(\.\d+)?", holds="the newest copy's name"
    ),
    FileKind(zone="held", pattern=r"held/held\.duckdb(\.wal)?", holds="what the law holds, encrypted"),
    FileKind(zone="notices", pattern=r"notices/notices\.duckdb(\.wal)?", holds="unsent notices, encrypted"),
    FileKind(
        zone="notices",
        pattern=rf"exports/notices/[a-z0-9_]+-{_UUID}\.json",
        holds="a notice on its way to its recipient",
    ),
    FileKind(
        zone="certificates", pattern=rf"certificates/(\d{{6,}}-{_UUID}\.json|public_key\.pem)", holds="certificates"
    ),
    FileKind(
        zone="certificates",
        pattern=r"certificates/key_change-\d{6,}-[0-9a-f]{16}\.json",
        holds="one signing key's word for the next",
    ),
    FileKind(
        zone="budget",
        pattern=r"budget/private_counts\.jsonl",
        holds="what the releases of noisy counts have cost; nothing of a person's",
    ),
    FileKind(
        zone="exports",
        pattern=rf"exports/access/\.?{_TIME}-[0-9a-f]{{32}}-[0-9a-f]{{16}}/innsyn\.(html|json)",
        holds="what a person asked to see, for a set time",
    ),
    FileKind(zone="dagster", pattern=r"dagster/dagster\.yaml", holds="Dagster's settings"),
    FileKind(
        zone="dagster", pattern=r"dagster/(history|schedules)/([^/]+/)*[^/]+\.db(-journal|-wal|-shm)?", holds="runs"
    ),
    FileKind(
        zone="dbt", pattern=r"dbt/(manifest|{purpose})/([^/]+/)*[^/]+\.(json|msgpack|gpickle|sql|py|log)", holds="SQL"
    ),
    FileKind(zone="extensions", pattern=r"extensions/([^/]+/)*[^/]+\.duckdb_extension(\.info)?", holds="DuckDB's own"),
    FileKind(
        zone="temporary", pattern=r"temporary/\d+-[0-9a-f]{32}/duckdb_temp_[^/]+", holds="what DuckDB spills, encrypted"
    ),
    FileKind(zone="root", pattern=r"keyring\.json", holds="the keys"),
    FileKind(zone="root", pattern=r"last_run\.json", holds="the last run's counts"),
    FileKind(zone="root", pattern=r"run\.lock", holds="nothing"),
    FileKind(
        zone="unfinished",
        pattern=rf"((vault|warehouse|held|notices|budget|certificates|dagster|published/{{purpose}}|exports/(notices|access/[^/]+))/)?{_UNFINISHED}",
        holds="what a killed run did not finish; the next one removes it",
    ),
)


MAY_NAME_THE_ERASED = {
    "held": "the law makes Leii keep it until the day its hold ends",
    "notices": "a recipient has yet to be told of the erasure; it goes when the notice is handed over",
}
"""The zones in which an identifier of somebody erased may lie, and why; nowhere else."""


def why_it_may_name_the_erased(path: str) -> str | None:
    """The reason why this file, by its path relative to LEII_HOME, may; None for all others."""
    kind = kind_of(path, ())
    return MAY_NAME_THE_ERASED.get(kind.zone) if kind is not None else None


def kind_of(path: str, purposes: Iterable[str]) -> FileKind | None:
    """The kind of a file by its path relative to LEII_HOME; None for one that nothing names."""
    return next((kind for kind, pattern in _patterns(tuple(purposes)) if pattern.fullmatch(path)), None)


def unknown_files(home: Home, purposes: Iterable[str]) -> list[str]:
    """Paths, relative to LEII_HOME, of what lies there and is of no known kind. Links are not followed."""
    known = tuple(purposes)
    found = (path for path in home.root.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(name for path in found if kind_of(name := _relative(path, home), known) is None)


def _relative(path: Path, home: Home) -> str:
    return path.relative_to(home.root).as_posix()


@cache
def _patterns(purposes: tuple[str, ...]) -> list[tuple[FileKind, re.Pattern[str]]]:
    one_of = f"(?:{'|'.join(re.escape(purpose) for purpose in purposes)})"
    return [(kind, re.compile(kind.pattern.replace("{purpose}", one_of))) for kind in KINDS]
