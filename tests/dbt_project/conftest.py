"""A LEII_HOME with one purpose, for real dbt to build."""

from collections.abc import Callable, Iterator
from uuid import NAMESPACE_OID, UUID, uuid5

import pytest

from pseudonymisation.loading import create_tables, open_purpose
from pseudonymisation.policy.reading import load_policy
from storage import Home, KeyRing, Workspace
from storage.keyring import names_for
from tests.dbt_project.purpose_project import NOW, PurposeProject
from tests.dbt_project.warm_dbt import WarmDbt


@pytest.fixture(scope="session")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmDbt]:
    server = WarmDbt(tmp_path_factory.mktemp("dbt"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def new_purpose(tmp_path_factory: pytest.TempPathFactory, dbt: WarmDbt) -> Callable[[str], PurposeProject]:
    """Makes a fresh LEII_HOME with one purpose's empty source tables; a module may keep one for several tests."""
    policy = load_policy()

    def make(purpose: str) -> PurposeProject:
        secrets = {name: f"{name:->32}"[:32].encode() for name in names_for([purpose])}
        workspace = Workspace(
            home=Home(tmp_path_factory.mktemp("home")),
            keyring=KeyRing(secrets),
            now=NOW,
        )
        with workspace.connect() as con, open_purpose(con, workspace, purpose):
            create_tables(con, policy, purpose)
        target = tmp_path_factory.mktemp(f"target_{purpose}")
        return PurposeProject(purpose=purpose, workspace=workspace, policy=policy, dbt=dbt, target=target)

    return make


@pytest.fixture(scope="session")
def uid() -> Callable[[str], UUID]:
    """The same UUID for the same name, so that a test can speak of `uid("kari")`."""
    return lambda name: uuid5(NAMESPACE_OID, name)
