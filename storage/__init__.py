"""LEII_HOME: its layout, its encrypted files, the keys that open them and the clock that dates them."""

from storage.clock import fixed_or_real_now
from storage.duckdb_files import attach, attached, compact_copy, connect, count, filled_copy, opens
from storage.durable import replace_durably, write_durably
from storage.errors import LeiiError
from storage.garbage import look_for_garbage_seldom
from storage.home import Home
from storage.keyring import KeyRing, KeyRingError
from storage.lock import exclusive_run
from storage.workspace import Workspace

__all__ = [
    "Home",
    "KeyRing",
    "KeyRingError",
    "LeiiError",
    "Workspace",
    "attach",
    "attached",
    "compact_copy",
    "connect",
    "count",
    "exclusive_run",
    "filled_copy",
    "fixed_or_real_now",
    "look_for_garbage_seldom",
    "opens",
    "replace_durably",
    "write_durably",
]
