"""What the policy wants read from one table of the app database."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SourceTable:
    """One table of schema `app`; `columns` are those that the policy has classified, and no others are read.

    With `updated_at`, the table is read incrementally by that column. With `appended_at`, the table only grows: `key` is
    then one growing integer, and rows are read by key and by that time. With neither, it is read whole on every pass.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    updated_at: str | None
    appended_at: str | None

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
