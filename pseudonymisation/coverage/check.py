"""The proof as a whole: every table of every purpose has an erasure rule that holds, or a written exemption."""

from collections.abc import Sequence

from pseudonymisation.coverage.declared import Exemptions
from pseudonymisation.coverage.model_rules import check_models
from pseudonymisation.coverage.models import Model
from pseudonymisation.coverage.origins import PurposeLineage, trace_purpose
from pseudonymisation.coverage.source_rules import check_sources
from pseudonymisation.policy.model import Policy


def trace_all(policy: Policy, models: Sequence[Model]) -> list[PurposeLineage]:
    return [trace_purpose(policy, models, purpose) for purpose in policy.purposes]


def check_coverage(policy: Policy, exemptions: Exemptions, models: Sequence[Model]) -> list[str]:
    """Every gap as a sentence with its place; an empty list when coverage is proved."""
    return [*check_sources(policy, exemptions), *check_models(policy, models, trace_all(policy, models))]
