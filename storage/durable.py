"""Files that are either whole on the disk or not there at all."""

import os
from pathlib import Path


def fsync_folder(folder: Path) -> None:
    """Make the folder's entries (new names, removed names) survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_durably(temporary: Path, final: Path) -> None:
    """Move a finished file to its name in one step; both must lie on the same file system."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, final)
    fsync_folder(final.parent)


def write_durably(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a whole file under its name in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    replace_durably(temporary, path)
