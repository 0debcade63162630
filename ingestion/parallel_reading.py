"""Several queries over several connections, as one stream of Arrow batches in flat memory."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TypeAlias

import pyarrow as pa
from adbc_driver_manager import dbapi
from adbc_driver_postgresql import StatementOptions

# Small enough that a wide table streams in flat memory; larger ones were not faster.
BATCH_BYTES = 4 << 20
WAIT_SECONDS = 0.1

_Item: TypeAlias = "pa.Schema | pa.RecordBatch | None"
"""A query's schema before its batches; None when a connection has no more."""


class _Reading:
    """What the connections' threads share: the queries left, what they have read, and the first error."""

    def __init__(self, queries: Sequence[str], connections: int) -> None:
        self.left = deque(queries)
        self.read: Queue[_Item] = Queue(maxsize=2 * connections)
        self.stopped = Event()
        self.error: BaseException | None = None

    def give(self, item: _Item) -> bool:
        """Hand an item on; False once nobody wants more."""
        while not self.stopped.is_set():
            try:
                self.read.put(item, timeout=WAIT_SECONDS)
            except Full:
                continue
            return True
        return False

    def fail(self, error: BaseException) -> None:
        self.error = self.error or error
        self.stopped.set()

    def take(self) -> _Item:
        """The next item. Raises what a connection raised, or OSError once the stream has been left."""
        while True:
            try:
                return self.read.get(timeout=WAIT_SECONDS)
            except Empty:
                if self.error is not None:
                    raise self.error from None
                if self.stopped.is_set():
                    raise OSError("the stream has been left") from None


@contextmanager
def open_stream(connections: Sequence[dbapi.Connection], queries: Sequence[str]) -> Iterator[pa.RecordBatchReader]:
    """The queries' rows in any order; all of them have the same columns. The connections are the stream's until it ends.

    Raises what a query raised, also when the reader's own consumer has failed by it in words of its own.
    """
    used = connections[: len(queries)]
    reading = _Reading(queries, len(used))
    threads = [Thread(target=_read, args=(connection, reading), daemon=True) for connection in used]
    for thread in threads:
        thread.start()
    try:
        schema = reading.take()
        assert isinstance(schema, pa.Schema)
        yield pa.RecordBatchReader.from_batches(schema, _batches(reading, len(threads)))
    finally:
        reading.stopped.set()
        for thread in threads:
            thread.join()
        if reading.error is not None:
            raise reading.error


def _batches(reading: _Reading, readers: int) -> Iterator[pa.RecordBatch]:
    while readers:
        item = reading.take()
        if item is None:
            readers -= 1
        elif isinstance(item, pa.RecordBatch):
            yield item


def _read(connection: dbapi.Connection, reading: _Reading) -> None:
    try:
        while not reading.stopped.is_set():
            try:
                query = reading.left.popleft()
            except IndexError:
                break
            _read_query(connection, query, reading)
        reading.give(None)
    except BaseException as error:
        reading.fail(error)


def _read_query(connection: dbapi.Connection, query: str, reading: _Reading) -> None:
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(BATCH_BYTES)})
        cursor.execute(query)
        with cursor.fetch_record_batch() as reader:
            wanted = reading.give(reader.schema)
            while wanted:
                try:
                    batch = reader.read_next_batch()
                except StopIteration:
                    return
                wanted = reading.give(batch)
