"""One pass over a LEII_HOME at a time."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from storage.errors import LeiiError
from storage.home import Home
from storage.spilling import remove_left_spills


@contextmanager
def exclusive_run(home: Home, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold LEII_HOME for writing. The kernel lets go of it when the process ends, however it ends."""
    home.root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(home.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + wait_seconds
    try:
        while not _taken(descriptor):
            if time.monotonic() >= deadline:
                raise LeiiError(f"another run holds {home.root}: wait for it to end, or give --wait SECONDS")
            time.sleep(0.2)
        remove_left_spills(home)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
