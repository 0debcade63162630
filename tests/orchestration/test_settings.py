"""A wrong or missing setting is refused with its name, what is wrong and an example; a secret is never shown."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.settings import EXAMPLES, SOURCES, Settings, SettingsError, load_settings
from storage import KeyRingError

SECRET = "hemmelig4711"
GOOD = {
    "LEII_APP_DB_DSN": f"postgresql://leii_pipeline:{SECRET}@127.0.0.1:5432/leii",
    "LEII_STRIPE_API_KEY": f"rk_test_{SECRET}",
    "LEII_NOW": "2026-11-15T07:00:00+01:00",
}


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("LEII_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def given(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_what_is_set_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    given(monkeypatch, **GOOD, LEII_EVENTS_ROOT="events", LEII_HOME="here")
    settings = load_settings()
    settings.require(*SOURCES)
    assert settings.home == tmp_path / "here"
    assert settings.events_root == str(tmp_path / "events")
    assert settings.moment() == datetime(2026, 11, 15, 6, tzinfo=UTC)
    assert settings.secret("app_db_dsn") == GOOD["LEII_APP_DB_DSN"]


def test_without_settings_the_defaults_hold(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.home == tmp_path / ".leii"
    assert settings.stripe_api_base == "https://api.stripe.com"
    assert settings.target == "duckdb"
    assert settings.enhetsregisteret_api_base is None
    assert not settings.accept_synthetic_ids


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "leii.toml").write_text("home = 'from_file'\ntarget = 'duckdb'\n")
    assert load_settings().home == tmp_path / "from_file"
    given(monkeypatch, LEII_HOME="from_environment")
    assert load_settings().home == tmp_path / "from_environment"


def test_paths_in_a_named_file_count_from_its_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "etc" / "events").mkdir(parents=True)
    (tmp_path / "etc" / "leii.toml").write_text("home = 'data'\nevents_root = 'events'\n")
    given(monkeypatch, LEII_CONFIG=str(tmp_path / "etc" / "leii.toml"))
    settings = load_settings()
    assert settings.home == tmp_path / "etc" / "data"
    assert settings.events_root == str(tmp_path / "etc" / "events")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("app_db_dsn", f"mysql://leii:{SECRET}@db/leii", "postgresql://"),
        ("app_db_dsn", f"postgresql://leii:{SECRET}@db", "name of a database"),
        ("app_db_dsn", f"postgresql://leii:{SECRET}@db:port/leii", "no address"),
        ("app_db_replica_dsn", f"mysql://leii:{SECRET}@db/leii", "postgresql://"),
        ("app_db_batch_rows", "10", "greater than or equal to 1000"),
        ("app_db_batch_rows", "many", "valid integer"),
        ("app_db_statement_timeout_seconds", "-1", "greater than or equal to 0"),
        ("app_db_connections", "0", "greater than or equal to 1"),
        ("app_db_changes", "guessing", "'updated_at' or 'logical_replication'"),
        ("app_db_slot", "Leii; drop", "match pattern"),
        ("app_db_kept_wal_limit_mb", "0", "greater than or equal to 1"),
        ("stripe_api_key", f"pk_live_{SECRET}", "sk_"),
        ("stripe_api_base", "http://api.stripe.com", "https://"),
        ("stripe_api_base", "api.stripe.com", "https:// address"),
        ("stripe_requests_per_second", "0", "greater than or equal to 1"),
        ("enhetsregisteret_api_base", "http://data.brreg.no/enhetsregisteret/api", "https://"),
        ("enhetsregisteret_api_base", "data.brreg.no", "https:// address"),
        ("accept_synthetic_ids", "perhaps", "boolean"),
        ("events_root", "nowhere", "no such folder"),
        ("events_root", "ftp://host/events", "s3:// address"),
        ("events_root", "s3://No_Bucket/events", "the bucket"),
        ("s3_endpoint", "http://objects.example.no", "https://"),
        ("s3_endpoint", "https://objects.example.no/bucket", "without a path"),
        ("s3_region", "eu north!", "region"),
        ("s3_secret_access_key", SECRET, "together"),
        ("ip_countries", "nowhere.csv", "no such file"),
        ("target", "lake", "lake does not work yet"),
        ("target", "spark", "spark does not work yet"),
        ("target", "duck", "no such target"),
        ("fraud_model", "maybe", "'on' or 'off'"),
        ("now", "yesterday", "ISO 8601"),
        ("now", "2026-11-15T06:00:00", "offset"),
    ],
)
def test_a_wrong_setting_is_refused_with_name_reason_and_example(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    given(monkeypatch, **{f"LEII_{name.upper()}": value})
    with pytest.raises(SettingsError) as refused:
        load_settings()
    message = str(refused.value)
    assert f"LEII_{name.upper()}" in message
    assert reason in message
    assert EXAMPLES[name] in message
    assert SECRET not in message


def test_an_object_store_is_reached_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    given(
        monkeypatch,
        LEII_EVENTS_ROOT="s3://bucket/events",
        LEII_S3_ENDPOINT="http://127.0.0.1:9000/",
        LEII_S3_REGION="eu-north-1",
        LEII_S3_ACCESS_KEY_ID="id",
        LEII_S3_SECRET_ACCESS_KEY=SECRET,
    )
    settings = load_settings()
    access = settings.s3()
    assert (access.endpoint, access.region) == ("http://127.0.0.1:9000", "eu-north-1")
    assert (access.access_key_id, access.secret_access_key) == ("id", SECRET)
    assert SECRET not in repr(settings) + repr(access)


def test_the_app_database_is_read_as_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, **GOOD, LEII_APP_DB_BATCH_ROWS="5000", LEII_APP_DB_CONNECTIONS="3")
    source = load_settings().app_db_source()
    assert (source.batch_rows, source.connections, source.is_replicated) == (5_000, 3, False)
    assert source.reading_dsn == GOOD["LEII_APP_DB_DSN"]
    replica = GOOD["LEII_APP_DB_DSN"].replace("127.0.0.1", "replica")
    given(monkeypatch, LEII_APP_DB_REPLICA_DSN=replica)
    assert load_settings().app_db_source().reading_dsn == replica
    assert SECRET not in repr(load_settings().app_db_source())


def test_logical_replication_and_a_replica_exclude_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, **GOOD, LEII_APP_DB_CHANGES="logical_replication")
    assert load_settings().app_db_source().is_replicated
    given(monkeypatch, LEII_APP_DB_REPLICA_DSN=GOOD["LEII_APP_DB_DSN"])
    with pytest.raises(SettingsError, match="leave LEII_APP_DB_REPLICA_DSN out"):
        load_settings()


def test_every_wrong_setting_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, LEII_TARGET="lake", LEII_STRIPE_API_KEY="x", LEII_NOW="x")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert len(str(refused.value).splitlines()) == 3


def test_a_missing_setting_is_refused_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, LEII_APP_DB_DSN=GOOD["LEII_APP_DB_DSN"])
    settings = load_settings()
    with pytest.raises(SettingsError) as refused:
        settings.require(*SOURCES)
    lines = str(refused.value).splitlines()
    assert [line.split()[0] for line in lines] == ["LEII_STRIPE_API_KEY", "LEII_EVENTS_ROOT"]
    assert all("is not set; an example: LEII_" in line for line in lines)


def test_a_misspelt_setting_in_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "leii.toml").write_text("hom = '/var/lib/leii'\n")
    with pytest.raises(SettingsError, match=r"hom in leii\.toml: is no setting"):
        load_settings()


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "leii.toml").write_text(f"app_db_dsn = {SECRET}\n")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert SECRET not in str(refused.value)


def test_a_config_file_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, LEII_CONFIG="nowhere.toml")
    with pytest.raises(SettingsError, match="LEII_CONFIG names no file"):
        load_settings()


def test_a_home_that_is_a_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    given(monkeypatch, LEII_HOME="home")
    with pytest.raises(SettingsError, match="a file of that name"):
        load_settings()


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, **GOOD)
    assert SECRET not in repr(load_settings())
    assert SECRET not in str(load_settings().model_dump())


def test_the_first_run_makes_the_keyring_and_later_ones_use_it() -> None:
    settings = Settings()
    first = settings.workspace()
    assert first.home.default_keyring_file.stat().st_mode & 0o077 == 0
    again = Settings().workspace()
    assert again.keyring.purpose_key("fraud", "warehouse") == first.keyring.purpose_key("fraud", "warehouse")


def test_a_keyring_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given(monkeypatch, LEII_KEYRING=str(tmp_path / "keyring.json"))
    with pytest.raises(KeyRingError, match="no keyring at"):
        load_settings().workspace()


def test_every_setting_is_documented_and_has_an_example() -> None:
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    names = {f"LEII_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in names if f"`{name}`" not in page} == set()
    assert set(EXAMPLES) == set(Settings.model_fields)
