"""`leii keys rotate`, and how one that was cut off is finished: by the next command, before it does anything else."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.settings import Settings
from storage import LeiiError, exclusive_run
from storage.keyring import begin_rotation, end_rotation, load_keyring

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
        rotated = _finish(settings, path)
        if name not in rotated:
            workspace = settings.workspace()
            names = names_to_rotate(workspace.keyring, name)
            require_rotatable(workspace, name)
            begin_rotation(path, names)
            rotated = _finish(settings, path)
        purpose = name.removeprefix("purpose:") if name.startswith("purpose:") else None
        if purpose is None or not home.warehouse_file(purpose).exists():
            return Rotation(names=rotated)
        _build(settings, purpose)
        return Rotation(names=rotated, built=purpose)


def finish_begun_rotation(settings: Settings) -> None:
    """Finish a rotation that was cut off, if there is one. Raises LeiiError if another run is at work."""
    if settings.keyring is None and not settings.place().default_keyring_file.exists():
        return
    if settings.keys().pending:
        path = keyring_file(settings)
        with exclusive_run(settings.place()):
            _finish(settings, path)


def keyring_file(settings: Settings) -> Path:
    """The file that the keyring is in. Raises LeiiError when the environment holds the keyring itself."""
    given = settings.keyring.get_secret_value() if settings.keyring else None
    if given and given.lstrip().startswith("{"):
        raise LeiiError(
            "LEII_KEYRING holds the keyring itself, which cannot be changed there: write it to a file with mode 0600, set "
            "LEII_KEYRING to the file's name, do this again, and put what is then in the file where the keyring came from"
        )
    return Path(given) if given else settings.place().default_keyring_file


def _finish(settings: Settings, path: Path) -> tuple[str, ...]:
    """Move everything to the pending roots and destroy the old ones; returns the names. The lock is held."""
    if not path.exists():
        return ()
    names = tuple(load_keyring(str(path)).pending)
    if names:
        from pseudonymisation.policy.reading import load_policy
        from pseudonymisation.rotation import move_files
        from publishing.copies import move_published

        workspace = settings.workspace()
        move_files(workspace, load_policy())
        for purpose in _published(names):
            move_published(workspace, purpose, workspace.keyring.after_rotation().purpose_key(purpose, "published"))
        end_rotation(path)
    return names


def _published(names: Sequence[str]) -> list[str]:
    return [name.removeprefix("published:") for name in names if name.startswith("published:")]


def _build(settings: Settings, purpose: str) -> None:
    """Build and publish the models of a purpose whose source tables alone are there. The lock is held."""
    from orchestration import dbt_runs, steps
    from orchestration.context import active_run, open_run

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
