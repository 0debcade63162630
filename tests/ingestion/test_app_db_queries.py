from decimal import Decimal

import pyarrow as pa
import pytest

from demo.postgres import DemoPostgres
from ingestion.app_db_queries import numeric_type, open_snapshot, read_arrow
from storage import LeiiError

ACCOUNT_ID = "c4ca4238-a0b9-2382-0dcc-509a6f75849b"
PLANTED = "Planted-Secret"


def test_a_query_comes_back_as_plain_arrow(app_db: DemoPostgres) -> None:
    table = read_arrow(
        app_db.reader_dsn,
        """select $1::uuid as account_id, 12.5::numeric(10, 2) as price, '{"a": 1}'::jsonb as answers, true as is_new""",
        [ACCOUNT_ID],
    )
    assert table.to_pylist() == [
        {"account_id": ACCOUNT_ID, "price": Decimal("12.50"), "answers": '{"a": 1}', "is_new": True}
    ]
    assert table.schema.field("price").type == pa.decimal128(10, 2)


def test_lists_are_parameters_too(app_db: DemoPostgres) -> None:
    query = "select i from generate_series(1, 5) as i where i::text = any($1)"
    assert read_arrow(app_db.reader_dsn, query, [["2", "4"]]).to_pydict() == {"i": [2, 4]}


def test_no_rows_keep_their_columns(app_db: DemoPostgres) -> None:
    table = read_arrow(app_db.reader_dsn, "select account_id, full_name from app.account")
    assert table.num_rows == 0
    assert table.column_names == ["account_id", "full_name"]


def test_a_refused_query_shows_no_value(app_db: DemoPostgres) -> None:
    with pytest.raises(LeiiError) as raised:
        read_arrow(app_db.reader_dsn, "select $1::integer", [PLANTED])
    assert "could not convert a value" in str(raised.value)
    assert PLANTED not in str(raised.value)


@pytest.mark.parametrize(
    ("dsn", "why"),
    [
        (f"postgresql://leii:{PLANTED}@127.0.0.1:1/leii", "Connection refused"),
        (f"postgresql://leii:{PLANTED}%ZZ@127.0.0.1:1/leii", "connection string cannot be read"),
        (f"nonsense {PLANTED}", "connection string cannot be read"),
    ],
)
def test_a_database_out_of_reach_is_named_without_its_password(dsn: str, why: str) -> None:
    with pytest.raises(LeiiError, match="check LEII_APP_DB_DSN") as raised:
        read_arrow(dsn, "select 1")
    assert why in str(raised.value)
    assert PLANTED not in str(raised.value)


def test_a_wrong_password_is_said(app_db: DemoPostgres) -> None:
    dsn = f"postgresql://leii_reader:{PLANTED}@127.0.0.1:{app_db.port}/leii"
    with pytest.raises(LeiiError, match="password"):
        read_arrow(dsn, "select 1")


def test_a_snapshot_cannot_write(app_db: DemoPostgres) -> None:
    with open_snapshot(app_db.admin_dsn) as snapshot, pytest.raises(Exception, match="read-only"):
        snapshot.command("delete from app.account")


def test_a_snapshot_outlives_a_failed_attempt_and_a_stream_left_early(app_db: DemoPostgres) -> None:
    with open_snapshot(app_db.reader_dsn) as snapshot:
        first = snapshot.row("select now()::text as at")
        with pytest.raises(Exception, match="division"):
            snapshot.attempt(lambda: snapshot.row("select 1 / 0 as x"))
        with snapshot.stream("select i, repeat('x', 100) from generate_series(1, 500000) as i") as reader:
            reader.read_next_batch()
        assert snapshot.row("select now()::text as at") == first


def test_rows_come_in_the_order_of_their_queries_over_all_connections(app_db: DemoPostgres) -> None:
    queries = [f"select {number} as number, pg_backend_pid() as session" for number in range(5)]
    with open_snapshot(app_db.reader_dsn, connections=2) as snapshot:
        with pytest.raises(Exception, match="division"):
            snapshot.attempt(lambda: snapshot.rows([*queries, "select 1 / 0 as x"]))
        rows = snapshot.rows(queries)
        assert snapshot.rows([]) == []
    assert [row["number"] for row in rows] == [0, 1, 2, 3, 4]
    assert len({row["session"] for row in rows}) == 2


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("numeric(10, 2)", "DECIMAL(10, 2)"),
        ("numeric(5)", "DECIMAL(5, 0)"),
        ("numeric(3, -2)", "DECIMAL(5, 0)"),
        ("numeric(2, 4)", "DECIMAL(4, 4)"),
        ("numeric", "DECIMAL(38, 9)"),
    ],
)
def test_declared_precision_is_kept(app_db: DemoPostgres, declared: str, expected: str) -> None:
    with open_snapshot(app_db.admin_dsn) as snapshot:
        typmod = snapshot.row(
            f"select format_type(1700, t) as name, t as typmod from (select {_typmod_of(declared)} as t)"
        )
    assert numeric_type(typmod["typmod"]) == expected


def _typmod_of(declared: str) -> str:
    arguments = declared.removeprefix("numeric").strip("()").replace(" ", "")
    return f"numerictypmodin('{{{arguments}}}'::cstring[])" if arguments else "-1"
