"""YAML as the policy's files have it."""

from pathlib import Path
from typing import Any

import yaml

# libyaml's loader reads the same ten times as fast; a wheel for an unusual machine may lack it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path) -> Any:
    """What a file says. Raises OSError and yaml.YAMLError."""
    return yaml.load(path.read_text(), Loader=_LOADER)  # both are safe loaders
