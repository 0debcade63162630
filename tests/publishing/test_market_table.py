"""Which figures of the market are withheld: a month is worked out again if, and only if, something of it has changed."""

from collections.abc import Iterator

import duckdb
import pytest

from publishing.market_table import FIGURES, withheld_relation

MONTHS = ("2026-01-01", "2026-02-01")
NAMES = ", ".join(FIGURES)
FLAGS = [f"is_{name}_withheld" for name in FIGURES]


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """Two months of 3 × 4 cells with their totals; the first cell of each has few people."""
    with duckdb.connect() as con:
        con.execute("CREATE SCHEMA kept")
        con.execute(f"""
            CREATE TABLE inner_cell AS
            SELECT category_id, municipality, month_start::DATE AS month_start,
                {", ".join(f"(CASE WHEN n = 0 THEN 2 ELSE 40 + n END) AS {name}" for name in FIGURES)}
            FROM (SELECT unnest({list(MONTHS)!r}) AS month_start),
                (SELECT n, 'c' || n % 3 AS category_id, 'm' || n // 3 AS municipality FROM range(12) AS cell(n))
        """)
        con.execute(f"""
            CREATE VIEW cell AS
            SELECT category_id, coalesce(municipality, 'all') AS municipality, month_start,
                {", ".join(f"sum({name}) AS {name}" for name in FIGURES)},
                municipality IS NULL AS is_total,
                CASE WHEN sum(customers) < 10 THEN 'too_few_people' END AS suppression_reason
            FROM inner_cell GROUP BY GROUPING SETS (
                (category_id, municipality, month_start), (category_id, month_start),
                (municipality, month_start), (month_start))
        """)
        con.execute(f"CREATE TABLE rest (category_id VARCHAR, municipality VARCHAR, month_start DATE, "
                    f"{', '.join(f'{name} DOUBLE' for name in FIGURES)}, is_sensitive BOOLEAN)")  # fmt: skip
        yield con


def work_out(con: duckdb.DuckDBPyConnection) -> None:
    """As the model does: what is worked out takes the place of what stood."""
    made = withheld_relation(con, con.table("cell"), con.table("rest"), stood="kept.withheld")  # noqa: F841
    con.execute("CREATE OR REPLACE TABLE kept.withheld AS FROM made")


def withheld(con: duckdb.DuckDBPyConnection, month: str) -> dict[str, int]:
    counts = ", ".join(f"count(*) FILTER ({flag})" for flag in FLAGS)
    row = con.execute(f"SELECT {counts} FROM kept.withheld WHERE month_start = ?", [month]).fetchone()
    assert row is not None
    return dict(zip(FLAGS, row, strict=True))


def test_a_few_people_and_what_would_tell_of_them_are_withheld(con: duckdb.DuckDBPyConnection) -> None:
    work_out(con)
    assert all(4 <= count < 20 for month in MONTHS for count in withheld(con, month).values())


def test_a_month_that_stands_is_taken_as_it_stood(con: duckdb.DuckDBPyConnection) -> None:
    work_out(con)
    con.execute(f"UPDATE kept.withheld SET {FLAGS[0]} = TRUE WHERE month_start = ?", [MONTHS[0]])
    work_out(con)
    assert withheld(con, MONTHS[0])[FLAGS[0]] == 20, "every cell, as it stood"
    assert withheld(con, MONTHS[1])[FLAGS[0]] < 20


@pytest.mark.parametrize(
    "change",
    [
        f"UPDATE inner_cell SET {FIGURES[-1]} = {FIGURES[-1]} + 1 WHERE category_id = 'c2' AND municipality = 'm3'",
        "DELETE FROM inner_cell WHERE category_id = 'c2' AND municipality = 'm3'",
        "INSERT INTO rest (category_id, municipality, month_start, is_sensitive) VALUES ('c1', 'all', '2026-01-01', TRUE)",
        "UPDATE kept.withheld SET figures_digest = figures_digest - 1",
        "DELETE FROM kept.withheld WHERE category_id = 'c1' AND municipality = 'm2'",
        "ALTER TABLE kept.withheld DROP COLUMN figures_digest",
        "DROP TABLE kept.withheld",
    ],
)
def test_a_month_of_which_anything_has_changed_is_worked_out_again(con: duckdb.DuckDBPyConnection, change: str) -> None:
    work_out(con)
    con.execute(f"UPDATE kept.withheld SET {FLAGS[0]} = TRUE")
    con.execute(change)
    work_out(con)
    again = con.execute(
        f"SELECT category_id, municipality, month_start, {', '.join(FLAGS)} FROM kept.withheld"
    ).fetchall()
    con.execute("DROP TABLE kept.withheld")
    work_out(con)
    anew = con.execute(
        f"SELECT category_id, municipality, month_start, {', '.join(FLAGS)} FROM kept.withheld"
    ).fetchall()
    first = [row for row in again if str(row[2]) == MONTHS[0]]
    assert set(map(str, first)) == {str(row) for row in anew if str(row[2]) == MONTHS[0]}


def test_a_market_of_which_no_month_has_ended_withholds_nothing(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("DELETE FROM inner_cell")
    work_out(con)
    assert con.execute("SELECT count(*) FROM kept.withheld").fetchone() == (0,)
