"""Whatever has landed, the purposes take it."""

from collections.abc import Iterable

from ingestion.landing import open_landing
from pseudonymisation.loading import PurposeLoad, load_purpose, register_people
from pseudonymisation.policy.reading import load_policy
from storage import Workspace


def load_for(workspace: Workspace, purposes: Iterable[str]) -> dict[str, PurposeLoad]:
    """What each of the purposes took; nothing is left for them."""
    policy = load_policy()
    loads = {}
    with open_landing(workspace) as landing:
        register_people(workspace, landing, policy)
        for purpose in purposes:
            loads[purpose] = load_purpose(workspace, landing, policy, purpose)
            assert not landing.pending(purpose)
    return loads
