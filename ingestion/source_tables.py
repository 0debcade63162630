"""What the policy wants read from one table of the app database."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class SourceTable:
    """One table of schema `app`; `columns` are those that the policy has classified, and no others are read.

    With `updated_at`, the table is read incrementally by that column. With `appended_at`, the table only grows: `key` is
    then one growing integer, and rows are read by key and by that time. With neither, it is read whole on every pass.
    `types` has the policy's word for a column's type (`app_db_tables.FITTING_TYPES`); one that is not there may be of any.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    updated_at: str | None
    appended_at: str | None
    types: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not self.key:
            raise ValueError(f"table {self.name}: it needs a key")
        if self.updated_at and self.appended_at:
            raise ValueError(f"table {self.name}: give updated_at or appended_at, not both")
        if self.appended_at and len(self.key) != 1:
            raise ValueError(f"table {self.name}: an append-only table has one growing key column")
        missing = sorted({*self.key, *filter(None, (self.updated_at, self.appended_at))} - set(self.columns))
        if missing:
            raise ValueError(f"table {self.name}: these are not among its columns: {', '.join(missing)}")
