"""What a decoder is given: one file's content, or that of a file within a file."""

import mmap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import duckdb

from storage import KeyRing

Content: TypeAlias = "bytes | mmap.mmap"
"""A slice of either is bytes."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """`content` is the whole file; `path` is None for what was packed inside another file.

    `connect` gives the scan's one DuckDB session, and makes it when it is first asked for.
    """

    content: Content = field(repr=False)
    path: Path | None
    keyring: KeyRing
    connect: Callable[[], duckdb.DuckDBPyConnection]
