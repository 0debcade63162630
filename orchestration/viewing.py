"""What is looked at in a browser, on the loopback address only and telling nobody of its use.

Notebooks and the dashboard see published copies and nothing else; Dagster's pages show names, times and counts.
"""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from orchestration.settings import Settings, config_file, load_settings
from pseudonymisation.policy.reading import load_policy
from storage import LeiiError

ROOT = Path(__file__).parents[1]
LOOPBACK = "127.0.0.1"


def run_notebook(purpose: str | None, port: int) -> None:
    """Serve a purpose's notebook until interrupted; without a purpose, refuse with the list of those there are."""
    folder = ROOT / "notebooks"
    there = sorted(path.name for path in folder.glob("*") if path.is_dir() and any(path.glob("*.py")))
    if purpose is None or purpose not in there:
        which = "name a purpose" if purpose is None else f"no notebook for {purpose!r}"
        raise LeiiError(
            f"{which}: there are notebooks for {', '.join(there) or 'none'}; for example `leii notebook matching`"
        )
    files = [str(path) for path in sorted((folder / purpose).glob("*.py")) if not path.name.startswith("_")]
    command = [sys.executable, "-m", "marimo", "--yes", "run", *files, "--host", LOOPBACK, "--port", str(port)]
    _serve(command, [purpose])


def run_dashboard(port: int) -> None:
    """Serve the dashboard until interrupted."""
    page = ROOT / "dashboards" / "app.py"
    if not page.exists():
        raise LeiiError(f"no dashboard at {page}: run from a checkout of the repository")
    options = {
        "server.address": LOOPBACK,
        "server.port": port,
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "browser.serverAddress": LOOPBACK,
        "client.toolbarMode": "viewer",
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    _serve([sys.executable, "-m", "streamlit", "run", str(page), *flags], load_policy().purposes)


def run_dagster(port: int) -> None:
    """Serve Dagster's pages, with its schedules and sensors, on the run storage that `leii run` writes."""
    from orchestration.instance import prepare_dagster_home

    settings = load_settings()
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(prepare_dagster_home(settings.place())),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "LEII_CONFIG": str(config_file().absolute()) if config_file().is_file() else "",
    }
    options = ["--module-name", "orchestration.definitions", "--host", LOOPBACK, "--port", str(port)]
    _wait_for([sys.executable, "-m", "dagster", "dev", *options], environment)


def viewing_environment(settings: Settings, purposes: Iterable[str]) -> dict[str, str]:
    """The environment of a viewer: where LEII_HOME is, the keys of these published copies, and no way to the sources."""
    hidden = ("LEII_APP_DB_DSN", "LEII_STRIPE_API_KEY", "LEII_EVENTS_ROOT", "LEII_CONFIG")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment["LEII_HOME"] = str(settings.place().root)
    environment["LEII_KEYRING"] = settings.keys().for_readers(purposes).as_text()
    if settings.now is not None:
        environment["LEII_NOW"] = settings.now.isoformat()
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return environment | {"PYTHONPATH": os.pathsep.join(path), "DO_NOT_TRACK": "1"}


def _serve(command: list[str], purposes: Iterable[str]) -> None:
    settings = load_settings()
    if not settings.place().root.is_dir():
        raise LeiiError(f"nothing is in {settings.place().root} yet: run `leii run` or `leii demo` first")
    _wait_for(command, viewing_environment(settings, purposes))


def _wait_for(command: list[str], environment: dict[str, str]) -> None:
    try:
        code = subprocess.run(command, env=environment, check=False).returncode
    except KeyboardInterrupt:
        return
    if code not in (0, 130, -2):
        raise LeiiError(f"it ended with exit code {code}; its own message is above")
