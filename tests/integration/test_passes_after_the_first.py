"""The world plays on, and the next pass leaves what a pass over everything would leave."""

import shutil

import pytest

from storage import Home
from tests.integration.conftest import Town, source_rows

pytestmark = pytest.mark.slow


def mart_rows(town: Town, purpose: str, home: Home | None = None) -> dict[str, list[tuple[object, ...]]]:
    tables = {(schema, table) for schema, table, _, _ in town.tables(purpose) if schema in ("marts", "intermediate")}
    columns = {
        (s, t): [c for s2, t2, c, _ in town.tables(purpose) if (s2, t2) == (s, t) and c != "_batch_id"]
        for s, t in tables
    }
    quoted = {key: ", ".join(f'"{c}"' for c in names) for key, names in columns.items()}
    return {
        f"{s}.{t}": sorted(town.query(purpose, f'SELECT {quoted[(s, t)]} FROM purpose."{s}"."{t}"', home), key=repr)
        for s, t in tables
    }


def test_increments_and_erasures_leave_what_a_build_from_nothing_leaves(town: Town) -> None:
    town.play_on(2)
    town.leii("run")
    anew = Home(town.home.root.with_name("anew"))
    anew.root.mkdir()
    shutil.copy(town.home.default_keyring_file, anew.default_keyring_file)
    for zone in (town.home.vault_file.parent, town.home.held_file.parent):  # what no source has
        shutil.copytree(zone, anew.root / zone.name)
    town.leii("run", home=anew)
    for purpose in ("matching", "fraud", "market_trends"):
        left, right = source_rows(town, purpose), source_rows(town, purpose, anew)
        for table in left:
            assert left[table] == right[table], (purpose, table, len(left[table]), len(right[table]))
        marts, marts_anew = mart_rows(town, purpose), mart_rows(town, purpose, anew)
        for table in marts:
            assert marts[table] == marts_anew[table], (purpose, table, len(marts[table]), len(marts_anew[table]))
