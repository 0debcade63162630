"""What Stripe's lists become on their way into landing."""

import tracemalloc

from ingestion.stripe_lists import ROW_SCHEMA, Rows
from ingestion.stripe_objects import BY_NAME

OBJECTS = 2_000


def test_rows_that_wait_take_little_more_room_than_their_text() -> None:
    rows = Rows()
    tracemalloc.start()
    try:
        for number in range(OBJECTS):
            value = {"id": f"ch_{number}", "object": "charge", "created": number, "description": "x" * 1_000}
            rows.add(BY_NAME["charge"], value, None)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    text = sum(len(one) for one in rows.arrow("charge")["object"].to_pylist())
    assert text < taken < 2 * text


def test_an_object_fetched_twice_is_there_once_as_it_was_fetched_last() -> None:
    rows = Rows()
    for amount in (1, 2):
        rows.add(BY_NAME["charge"], {"id": "ch_1", "object": "charge", "created": 5, "amount": amount}, "acct_1")
    landed = rows.arrow("charge")
    assert landed.schema == ROW_SCHEMA
    assert landed.to_pylist() == [
        {
            "id": "ch_1",
            "account": "acct_1",
            "created": 5,
            "deleted": False,
            "object": '{"amount":2,"created":5,"id":"ch_1","object":"charge"}',
        }
    ]
