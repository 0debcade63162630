"""A rotation of keys that was begun: finished by the next command, before it does anything else."""

from collections.abc import Sequence
from pathlib import Path

from orchestration.settings import Settings
from storage import LeiiError, exclusive_run
from storage.keyring import end_rotation, load_keyring


def finish_begun_rotation(settings: Settings) -> None:
    """Finish a rotation that was cut off, if there is one. Raises LeiiError if another run is at work."""
    if settings.keyring is None and not settings.place().default_keyring_file.exists():
        return
    if settings.keys().pending:
        path = keyring_file(settings)
        with exclusive_run(settings.place()):
            finish_rotation(settings, path)


def keyring_file(settings: Settings) -> Path:
    """The file that the keyring is in. Raises LeiiError when the environment holds the keyring itself."""
    given = settings.keyring.get_secret_value() if settings.keyring else None
    if given and given.lstrip().startswith("{"):
        raise LeiiError(
            "LEII_KEYRING holds the keyring itself, which cannot be changed there: write it to a file with mode 0600, set "
            "LEII_KEYRING to the file's name, do this again, and put what is then in the file where the keyring came from"
        )
    return Path(given) if given else settings.place().default_keyring_file


def finish_rotation(settings: Settings, path: Path) -> tuple[str, ...]:
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
