"""The written exemptions of the policy: what an erasure leaves where it is, and why (policy/coverage.yml)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pseudonymisation.policy.reading import PolicyError, policy_folder
from pseudonymisation.policy.yaml_files import read_yaml

FILE = "coverage.yml"
SHORTEST_REASON = 20
"""Characters below which a reason says nothing."""

Reason = Annotated[str, Field(min_length=SHORTEST_REASON)]
Names = Annotated[list[str], Field(min_length=1)]


@dataclass(frozen=True, kw_only=True)
class Exemption:
    """Why something stays: for these purposes, or these columns."""

    names: frozenset[str]
    why: str


@dataclass(frozen=True, kw_only=True)
class Exemptions:
    """By source.table; `pipelines_own` by zone, then schema.table, with what an erasure does to it."""

    names_nobody: Mapping[str, Exemption]
    stays: Mapping[str, Exemption]
    held_whole: Mapping[str, Exemption]
    pipelines_own: Mapping[str, Mapping[str, str]]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _OfPurposes(_Strict):
    purposes: Names
    why: Reason


class _OfColumns(_Strict):
    columns: Names
    why: Reason


class _File(_Strict):
    names_nobody: dict[str, _OfPurposes]
    stays: dict[str, _OfColumns]
    held_whole: dict[str, _OfPurposes]
    pipelines_own: dict[str, dict[str, Reason]]


@cache
def load_exemptions() -> Exemptions:
    """The project's own exemptions. Raises PolicyError if the file is not what it should be."""
    return read_exemptions(policy_folder())


def read_exemptions(folder: Path) -> Exemptions:
    """Read the exemptions of a policy's folder. Raises PolicyError with every fault of shape."""
    try:
        content = _File.model_validate(read_yaml(folder / FILE))
    except (OSError, yaml.YAMLError) as error:
        raise PolicyError([f"{FILE}: cannot be read as YAML ({type(error).__name__})"]) from None
    except ValidationError as error:
        places = [(".".join(str(part) for part in fault["loc"]), fault["msg"]) for fault in error.errors()]
        raise PolicyError([f"{FILE}: {place}: {message}" for place, message in places]) from None
    return Exemptions(
        names_nobody=_of_purposes(content.names_nobody),
        stays={name: Exemption(names=frozenset(one.columns), why=one.why) for name, one in content.stays.items()},
        held_whole=_of_purposes(content.held_whole),
        pipelines_own=content.pipelines_own,
    )


def _of_purposes(found: Mapping[str, _OfPurposes]) -> dict[str, Exemption]:
    return {name: Exemption(names=frozenset(one.purposes), why=one.why) for name, one in found.items()}
