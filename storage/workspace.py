"""What every step of a run is given: where things lie, the keys, and what time it is."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

import duckdb

from storage.duckdb_files import connect
from storage.home import Home
from storage.keyring import KeyRing


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """One run's place, keys and time (`now` is UTC and the same for the whole run).

    `accepts_synthetic_ids`: made-up national ids count as valid, as in a test world.
    """

    home: Home
    keyring: KeyRing
    now: datetime
    accepts_synthetic_ids: bool = False

    def connect(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A session for the length of a block; see `storage.connect`."""
        return connect(self.home)
