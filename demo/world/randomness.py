"""Chance that can be repeated: one generator for each part of the world, and ids that are functions of a key."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.object_]

_ALPHABET = np.array(list("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))


def generator(seed: int, part: str, step: int = 0) -> np.random.Generator:
    """The generator of one part of the world, so that a change in one part does not shuffle the others."""
    digest = hashlib.sha256(f"{seed}/{part}/{step}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def uuids(rng: np.random.Generator, count: int) -> Texts:
    """Version 4 UUIDs in text."""
    blob = rng.bytes(16 * count)
    return np.array([str(uuid.UUID(bytes=blob[i : i + 16], version=4)) for i in range(0, 16 * count, 16)], dtype=object)


def stripe_ids(prefix: str, keys: Ints, *, salt: str = "") -> Texts:
    """Ids as Stripe forms them (`ch_1…`), each a function of prefix, salt and key alone."""
    mixed = _mix(keys.astype(np.uint64), prefix + salt)
    second = _mix(mixed, "second")
    symbols = np.empty((len(keys), 20), dtype="U1")
    for half, source in enumerate((mixed, second)):
        rest = source.copy()
        for position in range(10):
            symbols[:, half * 10 + position] = _ALPHABET[(rest % np.uint64(62)).astype(np.int64)]
            rest //= np.uint64(62)
    joined = np.ascontiguousarray(symbols).view("U20").ravel() if len(keys) else np.array([], dtype="U20")
    return np.char.add(f"{prefix}_1", joined).astype(object)


def pair_uniform(one: Ints, other: Ints) -> Floats:
    """A number from 0 to 1 for each pair of keys, a function of the pair alone."""
    mixed = _mix(one.astype(np.uint64) * np.uint64(2**32) + other.astype(np.uint64), "pair")
    uniform: Floats = (mixed >> np.uint64(11)).astype(np.float64) / 2**53
    return uniform


def pick(rng: np.random.Generator, weights: Floats, count: int) -> Ints:
    """Indexes drawn in proportion to the weights."""
    steps = np.cumsum(weights)
    chosen: Ints = np.searchsorted(steps, rng.random(count) * steps[-1], side="right").clip(0, len(weights) - 1)
    return chosen


def _mix(values: npt.NDArray[np.uint64], salt: str) -> npt.NDArray[np.uint64]:
    """SplitMix64, started at a point that depends on the salt."""
    start = np.uint64(int.from_bytes(hashlib.sha256(salt.encode()).digest()[:8], "big"))
    with np.errstate(over="ignore"):
        mixed = values * np.uint64(0x9E3779B97F4A7C15) + start
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


def where(condition: Bools, values: Texts) -> Texts:
    """The values where the condition holds, else None."""
    chosen: Texts = np.where(condition, values, np.array(None, dtype=object))
    return chosen


def text_series(values: Texts | Sequence[str | None], name: str = "") -> pl.Series:
    """Texts, some of them None, as a column."""
    return pl.Series(name, list(values), dtype=pl.String)


def frame_of(columns: dict[str, Any]) -> pl.DataFrame:
    """A frame of numpy arrays and columns, arrays of objects being texts."""
    return pl.DataFrame(
        {
            name: text_series(values) if isinstance(values, np.ndarray) and values.dtype.kind in "OU" else values
            for name, values in columns.items()
        }
    )
