"""Where everything lies under LEII_HOME: one place that names every folder and file."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """The layout of one LEII_HOME. Paths are names only: whoever writes makes the folder."""

    root: Path

    @property
    def landing(self) -> Path:
        """Encrypted batches and the register of which purpose took which; empty between runs but for the register."""
        return self.root / "landing"

    @property
    def quarantine(self) -> Path:
        """Encrypted rows that could not be read."""
        return self.root / "quarantine"

    @property
    def registry_answers(self) -> Path:
        """What public registers answered, encrypted, under keyed hashes; a cache."""
        return self.root / "registries" / "enhetsregisteret.parquet"

    @property
    def vault_file(self) -> Path:
        return self.root / "vault" / "vault.duckdb"

    def warehouse_file(self, purpose: str) -> Path:
        return self.root / "warehouse" / f"{purpose}.duckdb"

    def published_folder(self, purpose: str) -> Path:
        """Holds the versions and `current.duckdb`, a symbolic link to the newest."""
        return self.root / "published" / purpose

    @property
    def held_file(self) -> Path:
        """What the law makes Leii keep about erased people."""
        return self.root / "held" / "held.duckdb"

    @property
    def notices_file(self) -> Path:
        """What recipients have yet to be told, with the names by which they know the people."""
        return self.root / "notices" / "notices.duckdb"

    @property
    def private_counts_ledger(self) -> Path:
        """What the releases of noisy counts have cost."""
        return self.root / "budget" / "private_counts.jsonl"

    @property
    def certificates(self) -> Path:
        return self.root / "certificates"

    @property
    def exports(self) -> Path:
        return self.root / "exports"

    @property
    def dagster(self) -> Path:
        return self.root / "dagster"

    def dbt_folder(self, purpose: str) -> Path:
        """dbt's target and logs of one purpose."""
        return self.root / "dbt" / purpose

    @property
    def extensions(self) -> Path:
        return self.root / "extensions"

    @property
    def temporary(self) -> Path:
        """What DuckDB spills to disk, encrypted, and only while it runs."""
        return self.root / "temporary"

    @property
    def lock_file(self) -> Path:
        return self.root / "run.lock"

    @property
    def default_keyring_file(self) -> Path:
        return self.root / "keyring.json"
