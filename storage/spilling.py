"""Where DuckDB spills to: under LEII_HOME, each engine to a folder of its own.

Two that share a folder give their files the same names there, and overwrite and remove each other's.
"""

import os
import shutil
from uuid import uuid4

from storage.home import Home


def spill_folder(home: Home) -> str:
    """The path of a folder that no other engine spills to. DuckDB makes it when it first spills, and removes it at the end."""
    home.temporary.mkdir(parents=True, exist_ok=True)
    return str(home.temporary / f"{os.getpid()}-{uuid4().hex}")


def remove_left_spills(home: Home) -> None:
    """Remove what processes that are gone have left. To be called with LEII_HOME held for writing."""
    if not home.temporary.exists():
        return
    for path in home.temporary.iterdir():
        if path.is_dir() and _is_running(path.name.split("-")[0]):
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_running(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:  # another user's
        return True
    return True
