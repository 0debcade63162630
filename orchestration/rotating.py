"""`leii keys rotate`: a new root for a name of the keyring, and the models that stand on it built anew."""

from dataclasses import dataclass

from orchestration import dbt_runs, steps
from orchestration.begun_rotation import finish_rotation, keyring_file
from orchestration.context import active_run, open_run
from orchestration.settings import Settings
from storage import LeiiError, exclusive_run
from storage.keyring import begin_rotation, load_keyring

ADVICE = (
    "Keep a copy of the new keyring apart from the data. Destroy every copy of the old one, and every backup of LEII_HOME "
    "from before: the old keys open those, and nothing else."
)


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """The names that have a new root. `built`: the purpose whose models were built and published anew."""

    names: tuple[str, ...]
    built: str | None = None


def rotate_key(settings: Settings, name: str, *, wait_seconds: float = 0.0) -> Rotation:
    """Give a name of the keyring a new root and move everything under it. One that was begun is finished, not begun again.

    Raises LeiiError, with nothing changed, for a name that is unknown or cannot be rotated now.
    """
    from pseudonymisation.rotation import names_to_rotate, require_rotatable

    path = keyring_file(settings)
    load_keyring(str(path))
    home = settings.place()
    with exclusive_run(home, wait_seconds=wait_seconds):
        rotated = finish_rotation(settings, path)
        if name not in rotated:
            workspace = settings.workspace()
            names = names_to_rotate(workspace.keyring, name)
            require_rotatable(workspace, name)
            begin_rotation(path, names)
            rotated = finish_rotation(settings, path)
        purpose = name.removeprefix("purpose:") if name.startswith("purpose:") else None
        if purpose is None or not home.warehouse_file(purpose).exists():
            return Rotation(names=rotated)
        _build(settings, purpose)
        return Rotation(names=rotated, built=purpose)


def _build(settings: Settings, purpose: str) -> None:
    """Build and publish the models of a purpose whose source tables alone are there. The lock is held."""
    run = open_run(settings)
    try:
        with active_run(run):
            dbt_runs.begin_parsing(run.home)
            steps.build_models(run, purpose)
            steps.publish(run, purpose)
    except LeiiError as error:
        raise LeiiError(
            f"the key of {purpose} is rotated, but its models are not built: `leii run` builds them\n{error}"
        ) from None
