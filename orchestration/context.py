"""What the steps of one run share, and how Dagster's assets get at it."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from orchestration.begun_rotation import finish_begun_rotation
from orchestration.report import Report
from orchestration.settings import Need, Settings, load_settings
from pseudonymisation.policy.model import Policy
from pseudonymisation.policy.reading import load_policy
from storage import Home, LeiiError, Workspace


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run: settings, the workspace (its clock stands still), the policy, and the report that the steps write."""

    settings: Settings
    workspace: Workspace
    policy: Policy
    report: Report = field(default_factory=Report)
    begun: dict[str, "Future[Any]"] = field(default_factory=dict)
    """Steps that were begun before Dagster asks for them, by name."""

    @property
    def home(self) -> Home:
        return self.workspace.home

    @property
    def purposes(self) -> tuple[str, ...]:
        return tuple(self.policy.purposes)

    @property
    def dsn(self) -> str:
        """The app database's, for reading it all and writing the two tables. Raises SettingsError if it is not set."""
        return self.settings.secret("app_db_dsn")


def open_run(settings: Settings | None = None, *, needs: Sequence[Need] = ()) -> Run:
    """A run with the settings of the environment; makes the keyring if this is the first, and finishes a rotation of
    keys that was cut off.

    Raises LeiiError when one of the settings that it `needs` is missing, or they or the policy are not whole.
    """
    from pseudonymisation.policy.checking import require_whole

    settings = settings or load_settings()
    settings.require(*needs)
    finish_begun_rotation(settings)
    policy = load_policy()
    require_whole(policy)
    return Run(settings=settings, workspace=settings.workspace(), policy=policy)


_active: list[Run] = []


@contextmanager
def active_run(run: Run) -> Iterator[Run]:
    """Make this the run whose lock the process holds; the assets' steps join it. Raises LeiiError if its keys are old."""
    if run.settings.keys() != run.workspace.keyring:
        raise LeiiError("the keyring has changed while this run waited for another to end: start it again")
    _active.append(run)
    try:
        yield run
    finally:
        _active.remove(run)


def current_run() -> Run | None:
    return _active[-1] if _active else None
