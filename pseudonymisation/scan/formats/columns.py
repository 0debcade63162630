"""Arrow columns as content to be searched: every leaf of a nested type, and what a dictionary keeps that no row has."""

from collections.abc import Iterable, Iterator
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from pseudonymisation.scan.formats.packed import is_packed
from pseudonymisation.scan.pieces import Found, Inner, Piece


def table_pieces(name: str, batches: Iterable[pa.RecordBatch]) -> Iterator[Found]:
    """Every column of a table, batch by batch; `name` comes before the column's in the place."""
    for batch in batches:
        for column, values in zip(batch.schema.names, batch.columns, strict=True):
            yield from column_pieces(f"{name}.{column}" if name else column, values)


def column_pieces(place: str, values: pa.Array) -> Iterator[Found]:
    """One column, or one leaf of it."""
    kind = values.type
    if len(values) == values.null_count and not pt.is_dictionary(kind):
        return
    if isinstance(kind, pa.BaseExtensionType):
        yield from column_pieces(place, values.storage)
    elif pt.is_dictionary(kind):
        yield from _dictionary_pieces(place, values)
    elif _is_nested(kind):
        for name, child in _children(values):
            yield from column_pieces(f"{place}.{name}" if name else place, child)
    else:
        yield from _leaf_pieces(place, values)


def _dictionary_pieces(place: str, values: pa.Array) -> Iterator[Found]:
    yield from column_pieces(place, values.dictionary_decode())
    used = pc.unique(values.indices.drop_null())
    places = pa.array(range(len(values.dictionary)), type=used.type)
    unused = values.dictionary.filter(pc.invert(pc.is_in(places, value_set=used)))
    yield from column_pieces(f"{place}, dictionary", unused)


def _is_nested(kind: pa.DataType) -> bool:
    return bool(pt.is_nested(kind) or pt.is_run_end_encoded(kind))


def _children(values: pa.Array) -> list[tuple[str, pa.Array]]:
    kind = values.type
    if pt.is_map(kind):
        return [("key", values.keys), ("value", values.items)]
    if pt.is_struct(kind):
        return list(zip([field.name for field in kind], values.flatten(), strict=True))
    if pt.is_union(kind):
        return [(kind.field(number).name, values.field(number)) for number in range(kind.num_fields)]
    if pt.is_run_end_encoded(kind):
        return [("", values.values)]
    return [("", values.flatten())]


def _leaf_pieces(place: str, values: pa.Array) -> Iterator[Found]:
    kind = values.type
    if pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind):
        yield Piece(place=place, content=_joined(values), form="text")
    elif pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_binary_view(kind) or pt.is_fixed_size_binary(kind):
        yield from blob_pieces(place, values.drop_null().to_pylist())
    elif pt.is_floating(kind):
        yield Piece(place=place, content=_joined(_whole_numbers(values)), form="numbers")
    elif pt.is_integer(kind) or pt.is_decimal(kind):
        yield Piece(place=place, content=_joined(pc.cast(values, pa.string())), form="numbers")
    elif not pt.is_boolean(kind):
        yield Piece(place=place, content=_joined(pc.cast(values, pa.string())), form="text")


def blob_pieces(place: str, values: Iterable[bytes]) -> Iterator[Found]:
    """Bytes as they are; those that something is packed in are unpacked too."""
    kept = list(values)
    yield Piece(place=place, content=b"\n".join(kept), form="binary")
    for value in kept:
        if is_packed(value):
            yield Inner(place=place, content=value)


def _whole_numbers(values: pa.Array) -> pa.Array:
    numbers = pc.cast(values, pa.float64())
    is_whole = pc.and_(pc.equal(numbers, pc.floor(numbers)), pc.less(pc.abs(numbers), 2.0**63))
    return pc.cast(pc.cast(numbers.filter(is_whole), pa.int64()), pa.string())


def _joined(values: pa.Array) -> bytes:
    series: Any = pl.Series(values.cast(pa.large_string()))
    text: str | None = series.str.join("\n", ignore_nulls=True).item()
    return (text or "").encode()
