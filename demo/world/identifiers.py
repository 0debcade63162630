"""Made-up identifiers that pass the check-digit tests and belong to nobody.

National ids follow Skatteetaten's synthetic test numbers (month + 80); organisation numbers start with 3, as those of its
test population do; IP addresses are from ranges kept for documentation, benchmarks and carrier-grade NAT.
"""

from __future__ import annotations

import numpy as np

from demo.world.randomness import Ints, Texts, stripe_ids

_FIRST_CHECK = np.array([3, 7, 6, 1, 8, 9, 4, 5, 2])
_SECOND_CHECK = np.array([5, 4, 3, 2, 7, 6, 5, 4, 3, 2])
_ORGANISATION_CHECK = np.array([3, 2, 7, 6, 5, 4, 3, 2])
_BANK_CHECK = np.array([5, 4, 3, 2, 7, 6, 5, 4, 3, 2])


def _modulo_11(digits: Ints, weights: Ints) -> Ints:
    """The check digit of each row; 10 where no digit will do."""
    return (11 - (digits @ weights) % 11) % 11


def _join(digits: Ints) -> Texts:
    return np.ascontiguousarray(digits.astype("U1")).view(f"U{digits.shape[1]}").ravel().astype(object)


def national_ids(rng: np.random.Generator, birth_days: Ints) -> Texts:
    """Synthetic national ids for births given as days since 1970."""
    if not len(birth_days):
        return np.array([], dtype=object)
    dates = birth_days.astype("datetime64[D]")
    years = dates.astype("datetime64[Y]").astype(np.int64) + 1970
    months = dates.astype("datetime64[M]").astype(np.int64) % 12 + 1 + 80
    days = (dates - dates.astype("datetime64[M]")).astype(np.int64) + 1
    digits = np.zeros((len(dates), 11), dtype=np.int64)
    for position, part in ((0, days), (2, months), (4, years % 100)):
        digits[:, position], digits[:, position + 1] = part // 10, part % 10
    todo = np.arange(len(dates))
    while len(todo):
        serial = np.where(years[todo] < 2000, rng.integers(0, 500, len(todo)), rng.integers(500, 1000, len(todo)))
        digits[todo, 6], digits[todo, 7], digits[todo, 8] = serial // 100, serial // 10 % 10, serial % 10
        digits[todo, 9] = _modulo_11(digits[todo, :9], _FIRST_CHECK)
        digits[todo, 10] = _modulo_11(digits[todo, :10], _SECOND_CHECK)
        todo = todo[(digits[todo, 9] == 10) | (digits[todo, 10] == 10)]
    return _join(digits)


def _checked(rng: np.random.Generator, count: int, start: tuple[int, ...], weights: Ints) -> Texts:
    digits = np.zeros((count, len(weights) + 1), dtype=np.int64)
    todo = np.arange(count)
    while len(todo):
        digits[todo, :-1] = rng.integers(0, 10, (len(todo), len(weights)))
        digits[np.ix_(todo, np.arange(len(start)))] = start
        digits[todo, -1] = _modulo_11(digits[todo, :-1], weights)
        todo = todo[digits[todo, -1] == 10]
    return _join(digits) if count else np.array([], dtype=object)


def organisation_numbers(rng: np.random.Generator, count: int) -> Texts:
    """Nine digits, the last one a valid check digit."""
    return _checked(rng, count, (3, 1), _ORGANISATION_CHECK)


def bank_accounts(rng: np.random.Generator, count: int) -> Texts:
    """Eleven digits, the last one a valid check digit."""
    return _checked(rng, count, (9, 9), _BANK_CHECK)


def phones(rng: np.random.Generator, count: int) -> Texts:
    """Mobile numbers as people type them: with and without +47, with and without spaces."""
    first = rng.choice(np.array(["40", "41", "46", "47", "48", "90", "91", "92", "93", "95", "97", "98", "99"]), count)
    rest = rng.integers(0, 1_000_000, count)
    style = rng.integers(0, 6, count)
    made = np.empty(count, dtype=object)
    for i in range(count):
        number = f"{first[i]}{rest[i]:06d}"
        made[i] = (
            f"+47{number}",
            f"+47 {number[:3]} {number[3:5]} {number[5:]}",
            number,
            f"{number[:3]} {number[3:5]} {number[5:]}",
            f"{number[:2]} {number[2:4]} {number[4:6]} {number[6:]}",
            f"0047{number}",
        )[style[i]]
    return made


def home_addresses(rng: np.random.Generator, count: int) -> Texts:
    """IP addresses of homes and phones: benchmark range, carrier-grade NAT, some IPv6 of the documentation range."""
    kind = rng.random(count)
    a, b, c = rng.integers(0, 2, count), rng.integers(0, 256, count), rng.integers(1, 255, count)
    d = rng.integers(64, 128, count)
    made = np.empty(count, dtype=object)
    for i in range(count):
        if kind[i] < 0.6:
            made[i] = f"198.{18 + a[i]}.{b[i]}.{c[i]}"
        elif kind[i] < 0.9:
            made[i] = f"100.{d[i]}.{b[i]}.{c[i]}"
        else:
            made[i] = f"2001:db8:{d[i]:x}:{b[i]:x}::{c[i]:x}"
    return made


def foreign_addresses(rng: np.random.Generator, count: int) -> Texts:
    """IP addresses from which accounts are attacked (documentation range)."""
    return np.array([f"203.0.113.{last}" for last in rng.integers(1, 255, count)], dtype=object)


def device_ids(rng: np.random.Generator, count: int) -> Texts:
    """Ids as a device-identification vendor gives them."""
    return stripe_ids("dev", rng.integers(0, 2**62, count))
