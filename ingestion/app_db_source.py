"""Where the app database is and how gently it is read."""

from dataclasses import dataclass, field

DEFAULT_SLOT = "leii"


@dataclass(frozen=True, kw_only=True)
class AppDbSource:
    """`replica_dsn`: a read replica that is read instead, where there is one.

    No statement reads more than about `batch_rows` rows of a table, but for those that changed since the last pass, nor
    runs longer than `statement_timeout_seconds` (0: as the server has it). A pass reads over `connections` connections.
    With logical replication, `slot` is the name of its slot and of its publication.
    """

    dsn: str = field(repr=False)
    replica_dsn: str | None = field(default=None, repr=False)
    batch_rows: int = 250_000
    statement_timeout_seconds: int = 300
    connections: int = 2
    is_replicated: bool = False
    slot: str = DEFAULT_SLOT
    kept_wal_limit_mb: int = 4_096

    @property
    def reading_dsn(self) -> str:
        return self.replica_dsn or self.dsn
