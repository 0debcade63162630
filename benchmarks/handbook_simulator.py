"""The transaction simulator of the Fraud Detection Handbook, from its published description (chapter 3, "Simulator").

Le Borgne, Siblini, Lebichot, Bontempi: Reproducible Machine Learning for Credit Card Fraud Detection, ULB, 2022.
Every draw of numpy's, Python's and pandas' generators comes in the order of the description, so that the table is the same
in each run; its counts are asserted.
"""

import random
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

CUSTOMERS, TERMINALS, DAYS = 5_000, 10_000, 183
FIRST_DAY = "2018-04-01"
REACH = 5.0
DAY_SECONDS = 86_400
TRANSACTIONS = 1_754_155
FRAUDS = (978, 9_099, 4_604)
"""Transactions that each kind made fraudulent, in the order of the kinds: one that is so already stays of its kind."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Transactions:
    """One entry per transaction, by time. `second` counts from the first day's midnight; `kind` is 0, or 1 to 3 for a fraud."""

    second: Ints
    day: Ints
    customer: Ints
    terminal: Ints
    amount: Floats
    kind: Ints


def simulate() -> Transactions:
    """The Handbook's table. Raises AssertionError if its counts are not the published ones."""
    customers, terminals = _customers(), _terminals()
    columns = [np.concatenate(part) for part in zip(*_all_spending(customers, terminals), strict=True)]
    second, customer, terminal, amount = columns
    order = np.argsort(second, kind="stable")
    second, customer, terminal = (part[order].astype(np.int64) for part in (second, customer, terminal))
    made = _with_frauds(second, customer, terminal, amount[order])
    assert len(made.second) == TRANSACTIONS, len(made.second)
    assert tuple(np.bincount(made.kind)[1:]) == FRAUDS, np.bincount(made.kind)
    return made


def _customers() -> Floats:
    """x, y, mean amount, transactions a day; the standard deviation of the amount is half its mean."""
    np.random.seed(0)
    bounds = ((0, 100), (0, 100), (5, 100), (0, 4))
    return np.array([[np.random.uniform(low, high) for low, high in bounds] for _ in range(CUSTOMERS)])


def _terminals() -> Floats:
    np.random.seed(1)
    return np.array([[np.random.uniform(0, 100), np.random.uniform(0, 100)] for _ in range(TERMINALS)])


def _all_spending(customers: Floats, terminals: Floats) -> list[tuple[Ints, Ints, Ints, Floats]]:
    return [
        _spending(number, customer[2], customer[3], np.flatnonzero(_distance(terminals, customer) < REACH))
        for number, customer in enumerate(customers)
    ]


def _distance(terminals: Floats, customer: Floats) -> Floats:
    found: Floats = np.sqrt(((terminals - customer[:2]) ** 2).sum(axis=1))
    return found


def _spending(customer: int, mean: float, rate: float, near: Ints) -> tuple[Ints, Ints, Ints, Floats]:
    """One customer's seconds, number, terminals and amounts."""
    random.seed(customer)
    np.random.seed(customer)
    reachable = near.tolist()
    made: list[tuple[int, int, float]] = []
    for day in range(DAYS):
        for _ in range(np.random.poisson(rate)):
            second = int(np.random.normal(DAY_SECONDS / 2, 20_000))
            if not 0 < second < DAY_SECONDS:
                continue
            amount = np.random.normal(mean, mean / 2)
            if amount < 0:
                amount = np.random.uniform(0, mean * 2)
            if reachable:
                made.append((second + day * DAY_SECONDS, random.choice(reachable), round(amount, 2)))
    seconds, terminals, amounts = zip(*made, strict=True) if made else ((), (), ())
    who = np.full(len(made), customer, dtype=np.int64)
    return np.array(seconds, np.int64), who, np.array(terminals, np.int64), np.array(amounts, np.float64)


def _with_frauds(second: Ints, customer: Ints, terminal: Ints, amount: Floats) -> Transactions:
    day = second // DAY_SECONDS
    kind = np.zeros(len(second), dtype=np.int64)
    kind[amount > 220] = 1
    last = int(day.max())
    for start in range(last):
        found = _within(day, start, 28, terminal, _drawn(TERMINALS, 2, start))
        kind[found[kind[found] == 0]] = 2
    for start in range(last):
        found = _within(day, start, 14, customer, _drawn(CUSTOMERS, 3, start))
        random.seed(start)
        taken = np.array(random.sample(found.tolist(), k=len(found) // 3), dtype=np.int64)
        amount[taken] *= 5
        kind[taken[kind[taken] == 0]] = 3
    return Transactions(second=second, day=day, customer=customer, terminal=terminal, amount=amount, kind=kind)


def _drawn(among: int, count: int, state: int) -> Ints:
    found: Ints = pd.Series(range(among)).sample(n=count, random_state=state).to_numpy()
    return found


def _within(day: Ints, start: int, days: int, party: Ints, chosen: Ints) -> Ints:
    """Rows, in the order of time, of these parties on so many days from `start` on."""
    first, end = np.searchsorted(day, (start, start + days))
    found: Ints = np.flatnonzero(np.isin(party[first:end], chosen)) + first
    return found
