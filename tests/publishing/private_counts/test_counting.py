"""Nobody counts in more than so many cells, nor twice in one, and one person changes no more than that."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from uuid import UUID

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from publishing.private_counts.counting import Counted, bounded_contributions, count_month, parameters
from tests.publishing.private_counts.by_hand import BOOKING, CONTRIBUTIONS, OCTOBER, REQUESTING

TABLE = "contribution"
Row = tuple[str, UUID | None, UUID | None, int | None, str, str]

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["request", "booking", "search"]),
        st.none() | st.integers(1, 6).map(lambda n: UUID(int=n)),
        st.none() | st.integers(101, 105).map(lambda n: UUID(int=n)),
        st.none() | st.integers(1, 3),
        st.sampled_from(["OSLO", "BERGEN", "unknown"]),
        st.sampled_from(["2026-10-01", "2026-09-01"]),
    ),
    max_size=60,
)
BY_PROPERTY = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE {TABLE} {CONTRIBUTIONS}")
        yield connection


def put(con: duckdb.DuckDBPyConnection, rows: Sequence[Row]) -> None:
    con.execute(f"DELETE FROM {TABLE}")
    if rows:
        con.executemany(f"INSERT INTO {TABLE} VALUES (?, ?, ?, ?, ?, ?)", rows)


def counted(con: duckdb.DuckDBPyConnection, rows: Sequence[Row], most_cells: int) -> list[Counted]:
    put(con, rows)
    return [
        count_month(con, replace(count, most_cells_per_person=most_cells), OCTOBER, TABLE)
        for count in (REQUESTING, BOOKING)
    ]


@given(rows=ROWS, most_cells=st.integers(1, 5))
@BY_PROPERTY
def test_nobody_is_in_more_cells_than_allowed_nor_twice_in_one(
    con: duckdb.DuckDBPyConnection, rows: list[Row], most_cells: int
) -> None:
    put(con, rows)
    for count in (REQUESTING, BOOKING):
        chosen = replace(count, most_cells_per_person=most_cells)
        found = con.execute(bounded_contributions(chosen, TABLE), parameters(chosen, OCTOBER)).fetchall()
        cells = Counter(customer for customer, *_ in found)
        wanted: dict[UUID, set[tuple[int, str]]] = {}
        for kind, customer, _, category, place, month in rows:
            if kind == count.of and month == "2026-10-01" and customer is not None and category is not None:
                wanted.setdefault(customer, set()).add((category, place if count.by_municipality else "all"))
        assert cells == {customer: min(most_cells, len(theirs)) for customer, theirs in wanted.items()}
        assert len({(customer, category, place) for customer, category, place, _ in found}) == len(found)
        assert all((category, place) in wanted[customer] for customer, category, place, _ in found)


@given(rows=ROWS, most_cells=st.integers(1, 3), gone=st.integers(1, 6))
@BY_PROPERTY
def test_one_person_changes_so_many_cells_and_each_by_one(
    con: duckdb.DuckDBPyConnection, rows: list[Row], most_cells: int, gone: int
) -> None:
    without = [row for row in rows if row[1] != UUID(int=gone)]
    for all_of_them, others in zip(counted(con, rows, most_cells), counted(con, without, most_cells), strict=True):
        for more, less in ((all_of_them.customers, others.customers), (all_of_them.providers, others.providers)):
            change = [more.get(cell, 0) - less.get(cell, 0) for cell in more.keys() | less.keys()]
            assert set(change) <= {0, 1}
            assert sum(change) <= most_cells


def test_customers_and_providers_are_counted_once_a_cell(con: duckdb.DuckDBPyConnection) -> None:
    rows: list[Row] = [
        ("booking", UUID(int=1), UUID(int=101), 1, "OSLO", "2026-10-01"),
        ("booking", UUID(int=1), UUID(int=101), 1, "OSLO", "2026-10-01"),
        ("booking", UUID(int=2), UUID(int=101), 1, "OSLO", "2026-10-01"),
        ("booking", UUID(int=3), UUID(int=102), 1, "OSLO", "2026-10-01"),
        ("booking", UUID(int=3), UUID(int=102), 1, "BERGEN", "2026-10-01"),
        ("request", UUID(int=3), None, 1, "BERGEN", "2026-10-01"),
    ]
    requesting, booking = counted(con, rows, 2)
    assert requesting.customers == {"1|all": 1}
    assert booking.customers == {"1|OSLO": 3, "1|BERGEN": 1}
    assert booking.providers == {"1|OSLO": 2, "1|BERGEN": 1}
