"""The project's own models as dbt compiles them; once a state of the project, since they are kept in its target folder."""

import pytest

from orchestration.coverage_check import compiled_models
from pseudonymisation.coverage.models import Model
from pseudonymisation.policy.model import Policy
from pseudonymisation.policy.reading import load_policy


@pytest.fixture(scope="session")
def policy() -> Policy:
    return load_policy()


@pytest.fixture(scope="session")
def models() -> list[Model]:
    return compiled_models()
