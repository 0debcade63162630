"""Where the sources are and where Leii keeps its own: from the environment, or else from leii.toml.

Every setting is LEII_<NAME> in the environment and <name> in leii.toml; the environment wins. What is wrong is refused
with its name, what is wrong with it and an example, and never with the value, which may be a secret.
"""

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from ingestion.app_db_source import AppDbSource
from storage import Home, KeyRing, LeiiError, Workspace
from storage.clock import parse_now

if TYPE_CHECKING:
    from ingestion.event_store import S3Access
    from ingestion.pacing import Pacer

CONFIG_FILE = "leii.toml"
STRIPE_API_BASE = "https://api.stripe.com"
WORKING_TARGETS = ("duckdb",)
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
REGION = re.compile(r"[a-z0-9-]{2,40}")
LOOPBACK = ("127.0.0.1", "localhost", "::1")

Need = Literal["app_db_dsn", "stripe_api_key", "events_root"]
SOURCES: tuple[Need, ...] = ("app_db_dsn", "stripe_api_key", "events_root")

EXAMPLES = {
    "home": "LEII_HOME=/var/lib/leii",
    "app_db_dsn": "LEII_APP_DB_DSN=postgresql://leii_pipeline:password@127.0.0.1:5432/leii",
    "app_db_replica_dsn": "LEII_APP_DB_REPLICA_DSN=postgresql://leii_pipeline:password@replica.internal:5432/leii",
    "app_db_batch_rows": "LEII_APP_DB_BATCH_ROWS=250000",
    "app_db_statement_timeout_seconds": "LEII_APP_DB_STATEMENT_TIMEOUT_SECONDS=300",
    "app_db_connections": "LEII_APP_DB_CONNECTIONS=2",
    "app_db_changes": "LEII_APP_DB_CHANGES=updated_at or LEII_APP_DB_CHANGES=logical_replication",
    "app_db_slot": "LEII_APP_DB_SLOT=leii",
    "app_db_kept_wal_limit_mb": "LEII_APP_DB_KEPT_WAL_LIMIT_MB=4096",
    "stripe_api_key": "LEII_STRIPE_API_KEY=rk_live_...",
    "stripe_api_base": f"LEII_STRIPE_API_BASE={STRIPE_API_BASE}",
    "stripe_requests_per_second": "LEII_STRIPE_REQUESTS_PER_SECOND=25",
    "events_root": "LEII_EVENTS_ROOT=/srv/events or LEII_EVENTS_ROOT=s3://bucket/events",
    "s3_endpoint": "LEII_S3_ENDPOINT=https://objects.example.no",
    "s3_region": "LEII_S3_REGION=eu-north-1",
    "s3_access_key_id": "LEII_S3_ACCESS_KEY_ID=AKIA...",
    "s3_secret_access_key": "LEII_S3_SECRET_ACCESS_KEY=...",
    "ip_countries": "LEII_IP_COUNTRIES=/srv/leii/ip_countries.csv",
    "target": "LEII_TARGET=duckdb",
    "now": "LEII_NOW=2026-11-15T06:00:00Z",
    "fraud_model": "LEII_FRAUD_MODEL=off, and the fraud rules stand alone",
    "private_counts": "LEII_PRIVATE_COUNTS=on, and the counts of private_counts.yml are published with noise",
    "keyring": "LEII_KEYRING=/etc/leii/keyring.json",
    "enhetsregisteret_api_base": "LEII_ENHETSREGISTERET_API_BASE=https://data.brreg.no/enhetsregisteret/api",
    "accept_synthetic_ids": "LEII_ACCEPT_SYNTHETIC_IDS=true",
}


class SettingsError(LeiiError):
    """A setting is wrong or missing."""


class Settings(BaseSettings):
    """The settings as they were read and found to be of the right form. Read them with `load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix="LEII_", extra="forbid", frozen=True, hide_input_in_errors=True, env_ignore_empty=True
    )

    home: Path = Path(".leii")
    app_db_dsn: SecretStr | None = None
    app_db_replica_dsn: SecretStr | None = None
    app_db_batch_rows: int = Field(AppDbSource.batch_rows, ge=1_000, le=100_000_000)
    app_db_statement_timeout_seconds: int = Field(AppDbSource.statement_timeout_seconds, ge=0, le=86_400)
    app_db_connections: int = Field(AppDbSource.connections, ge=1, le=16)
    app_db_changes: Literal["updated_at", "logical_replication"] = "updated_at"
    app_db_slot: str = Field(AppDbSource.slot, pattern=r"^[a-z][a-z0-9_]{0,55}$")
    app_db_kept_wal_limit_mb: int = Field(AppDbSource.kept_wal_limit_mb, ge=1)
    stripe_api_key: SecretStr | None = None
    stripe_api_base: str = STRIPE_API_BASE
    stripe_requests_per_second: float | None = Field(None, ge=1.0, le=100_000.0)
    events_root: str | None = None
    s3_endpoint: str | None = None
    s3_region: str | None = None
    s3_access_key_id: SecretStr | None = None
    s3_secret_access_key: SecretStr | None = None
    ip_countries: Path | None = None
    target: str = "duckdb"
    now: datetime | None = None
    fraud_model: Literal["on", "off"] = "on"
    private_counts: Literal["on", "off"] = "off"
    keyring: SecretStr | None = None
    enhetsregisteret_api_base: str | None = None
    accept_synthetic_ids: bool = False

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *args: PydanticBaseSettingsSource, **kwargs: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment, then leii.toml; no .env file and no secrets folder."""
        return kwargs["env_settings"], TomlConfigSettingsSource(settings_cls, toml_file=config_file())

    @field_validator("home")
    @classmethod
    def _home_is_no_file(cls, value: Path) -> Path:
        if value.exists() and not value.is_dir():
            raise ValueError("there is a file of that name where a folder is wanted")
        return _beside_config(value)

    @field_validator("app_db_dsn", "app_db_replica_dsn")
    @classmethod
    def _dsn_is_one(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parts = _split(value.get_secret_value())
            if parts.scheme not in ("postgresql", "postgres") or not parts.path.strip("/"):
                raise ValueError("it must be a postgresql:// address with the name of a database")
        return value

    @field_validator("app_db_changes", mode="after")
    @classmethod
    def _replication_reads_no_replica(cls, value: str, info: ValidationInfo) -> str:
        if value == "logical_replication" and info.data.get("app_db_replica_dsn") is not None:
            raise ValueError(
                "logical replication reads the primary: leave LEII_APP_DB_REPLICA_DSN out, or use updated_at"
            )
        return value

    @field_validator("stripe_api_key")
    @classmethod
    def _key_is_one(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("sk_", "rk_")):
            raise ValueError("a secret key starts with sk_, a restricted one (better) with rk_")
        return value

    @field_validator("stripe_api_base", "enhetsregisteret_api_base")
    @classmethod
    def _base_is_safe(cls, value: str | None) -> str | None:
        return value and _safe_address(value)

    @field_validator("events_root")
    @classmethod
    def _root_is_there(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if value.startswith("s3://"):
            if not BUCKET.fullmatch(urlsplit(value).netloc):
                raise ValueError(
                    "after s3:// stands the bucket, which has 3 to 63 small letters, digits, dots and hyphens"
                )
            return value
        if "://" in value:
            raise ValueError("it must be a folder or an s3:// address")
        folder = _beside_config(Path(value))
        if not folder.is_dir():
            raise ValueError("there is no such folder")
        return str(folder)

    @field_validator("ip_countries")
    @classmethod
    def _countries_are_there(cls, value: Path | None) -> Path | None:
        if value is None:
            return None
        file = _beside_config(value)
        if not file.is_file():
            raise ValueError("there is no such file")
        return file

    @field_validator("s3_endpoint")
    @classmethod
    def _endpoint_is_safe(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).path.strip("/"):
            raise ValueError("it must be an address without a path: the bucket stands in LEII_EVENTS_ROOT")
        return value and _safe_address(value)

    @field_validator("s3_region")
    @classmethod
    def _region_is_one(cls, value: str | None) -> str | None:
        if value is not None and not REGION.fullmatch(value):
            raise ValueError("it must be a region's name")
        return value

    @field_validator("s3_secret_access_key")
    @classmethod
    def _key_is_whole(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if (value is None) != (info.data.get("s3_access_key_id") is None):
            raise ValueError("it and LEII_S3_ACCESS_KEY_ID are given together or not at all")
        return value

    @field_validator("target")
    @classmethod
    def _target_works(cls, value: str) -> str:
        if value in ("lake", "spark"):
            raise ValueError(f"{value} does not work yet; the one that works is {WORKING_TARGETS[0]}")
        if value not in WORKING_TARGETS:
            raise ValueError(f"there is no such target; the one that works is {WORKING_TARGETS[0]}")
        return value

    @field_validator("now", mode="before")
    @classmethod
    def _now_has_offset(cls, value: object) -> datetime | None:
        if value is None or value == "":
            return None
        try:
            return parse_now(value.isoformat() if isinstance(value, datetime) else str(value))
        except LeiiError:
            raise ValueError("it must be an ISO 8601 time with its offset") from None

    def s3(self) -> "S3Access":
        """How an s3:// root is reached; what is not set is found by AWS's own rules."""
        from ingestion.event_store import S3Access

        key, secret = self.s3_access_key_id, self.s3_secret_access_key
        return S3Access(
            endpoint=self.s3_endpoint,
            region=self.s3_region,
            access_key_id=key.get_secret_value() if key else None,
            secret_access_key=secret.get_secret_value() if secret else None,
        )

    def require(self, *names: Need) -> None:
        """Raise SettingsError if one of these is not set."""
        missing = [name for name in names if getattr(self, name) is None]
        if missing:
            raise SettingsError(_refusal([(name, "is not set") for name in missing]))

    def secret(self, name: Need) -> str:
        """The value of a setting that a step cannot do without. Raises SettingsError if it is not set."""
        self.require(name)
        value = getattr(self, name)
        return cast("str", value.get_secret_value() if isinstance(value, SecretStr) else value)

    def stripe_pacer(self) -> "Pacer | None":
        """The pace below the limit that is set; None if none is: Stripe's own limit holds."""
        from ingestion.stripe_client import pacer_below

        limit = self.stripe_requests_per_second
        return None if limit is None else pacer_below(limit)

    def app_db_source(self) -> AppDbSource:
        """The app database as ingestion reads it. Raises SettingsError if LEII_APP_DB_DSN is not set."""
        replica = self.app_db_replica_dsn
        return AppDbSource(
            dsn=self.secret("app_db_dsn"),
            replica_dsn=replica.get_secret_value() if replica else None,
            batch_rows=self.app_db_batch_rows,
            statement_timeout_seconds=self.app_db_statement_timeout_seconds,
            connections=self.app_db_connections,
            is_replicated=self.app_db_changes == "logical_replication",
            slot=self.app_db_slot,
            kept_wal_limit_mb=self.app_db_kept_wal_limit_mb,
        )

    def place(self) -> Home:
        """LEII_HOME's layout."""
        return Home(self.home)

    def keys(self) -> KeyRing:
        """The keyring of LEII_KEYRING, or the one in LEII_HOME. Raises KeyRingError if there is none."""
        from storage.keyring import load_keyring

        given = self.keyring.get_secret_value() if self.keyring else None
        return load_keyring(given or str(self.place().default_keyring_file))

    def moment(self) -> datetime:
        """LEII_NOW, or else the machine's time, in UTC."""
        return self.now or datetime.now(UTC)

    def workspace(self) -> Workspace:
        """What every step is given. The first run makes the keyring in LEII_HOME, unless LEII_KEYRING names another."""
        place = self.place()
        if self.keyring is None and not place.default_keyring_file.exists():
            from pseudonymisation.policy.reading import load_policy
            from storage.keyring import load_or_create

            return self._workspace(load_or_create(place.default_keyring_file, load_policy().purposes))
        return self._workspace(self.keys())

    def workspace_there(self) -> Workspace:
        """The workspace of a LEII_HOME that is there, which nothing is made in. Raises LeiiError before the first run."""
        place = self.place()
        if not place.root.is_dir():
            raise LeiiError(f"nothing is in {place.root} yet: set LEII_HOME, or run `leii run` (or `leii demo`) first")
        return self._workspace(self.keys())

    def _workspace(self, keyring: KeyRing) -> Workspace:
        return Workspace(
            home=self.place(),
            keyring=keyring,
            now=self.moment(),
            accepts_synthetic_ids=self.accept_synthetic_ids,
        )


def config_file() -> Path:
    """LEII_CONFIG, or leii.toml in the working directory; it need not be there."""
    return Path(os.environ.get("LEII_CONFIG") or CONFIG_FILE)


def load_settings() -> Settings:
    """Read the settings. Raises SettingsError with every one that is wrong."""
    given = os.environ.get("LEII_CONFIG")
    if given and not Path(given).is_file():
        raise SettingsError("LEII_CONFIG names no file; an example: LEII_CONFIG=/etc/leii/leii.toml")
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError(_refusal([_fault(fault) for fault in error.errors(include_input=False)])) from None
    except ValueError:
        raise SettingsError(f"{config_file()} is no TOML; a line of it looks like: home = '/var/lib/leii'") from None


def _fault(fault: Any) -> tuple[str, str]:
    name = str(fault["loc"][0]).lower()
    if fault["type"] == "extra_forbidden":
        return name, "is no setting"
    return name, str(fault["msg"]).removeprefix("Value error, ")


def _refusal(faults: list[tuple[str, str]]) -> str:
    lines = []
    for name, reason in faults:
        example = EXAMPLES.get(name)
        if example:
            lines.append(f"LEII_{name.upper()} ({name} in {CONFIG_FILE}): {reason}; an example: {example}")
        else:
            lines.append(f"{name} in {CONFIG_FILE}: {reason}; the settings are {', '.join(sorted(EXAMPLES))}")
    return "\n".join(lines)


def _split(address: str) -> Any:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        raise ValueError("it is no address") from None
    return parts


def _safe_address(value: str) -> str:
    parts = _split(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it must be an https:// address")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("http:// is for a double on this machine only; use https://")
    return value.rstrip("/")


def _beside_config(path: Path) -> Path:
    """A relative path counts from the working directory, or from the folder of the file that LEII_CONFIG names."""
    folder = Path(os.environ["LEII_CONFIG"]).parent if os.environ.get("LEII_CONFIG") else Path()
    return (folder / path).absolute()
