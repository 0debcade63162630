"""What is costly to make and the same for several processes that test: made by whoever needs it first, copied by each."""

import fcntl
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """The folder, made if it is not there; another process that wants it meanwhile waits. Whoever changes it takes a copy."""
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = folder.with_suffix(".new")
            shutil.rmtree(unfinished, ignore_errors=True)
            make(unfinished)
            unfinished.rename(folder)
    return folder


def copy_owned(source: Path, target: Path) -> None:
    """A copy in which every file has the owner of before: PostgreSQL, which runs as another user, opens no one else's."""
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)
