"""What the policy's files have in common: how they are read, what a part has, and the words for categories."""

from functools import cache
from pathlib import Path
from typing import TypeVar

import yaml
from fideslang.default_taxonomy import DEFAULT_TAXONOMY
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pseudonymisation.policy.yaml_files import read_yaml


class Strict(BaseModel):
    """A part of a file; a word that nobody knows is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LawfulBasis(Strict):
    """The article of the GDPR, and why it holds here."""

    article: str = Field(min_length=1)
    why: str = Field(min_length=10)


@cache
def known_categories() -> frozenset[str]:
    """Every data category of the fideslang taxonomy."""
    return frozenset(category.fides_key for category in DEFAULT_TAXONOMY.data_category)


Content = TypeVar("Content", bound=Strict)


def validated(path: Path, shape: type[Content], problems: list[str]) -> Content | None:
    """A file's content; None, with every fault added to `problems`, if it has not that shape."""
    try:
        return shape.model_validate(read_yaml(path))
    except (OSError, yaml.YAMLError) as error:
        problems.append(f"{path.name}: cannot be read as YAML ({type(error).__name__})")
    except ValidationError as error:
        for fault in error.errors():
            place = ".".join(str(part) for part in fault["loc"])
            problems.append(f"{path.name}: {place}: {fault['msg']}")
    return None
