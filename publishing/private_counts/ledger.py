"""What the releases of noisy counts have cost: a line each, written before anything is drawn, never changed.

A process that is killed between the line and the published copy has paid for nothing; the other way round it would have
told something unpaid. Each line names the hash of the one before it, so that one that was changed or left out is
noticed. It tells of releases, not of people.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from pseudonymisation.policy.private_counts import NOTHING, Cost
from storage import Home, LeiiError, write_durably

FIRST = "0" * 64


class LedgerError(LeiiError):
    """The ledger cannot be believed: nothing is released."""


class BudgetExceededError(LeiiError):
    """What is left does not suffice: nothing was spent."""


@dataclass(frozen=True, kw_only=True)
class Spending:
    """One line: one release of one count about one month."""

    entry: int
    spent_at: datetime
    count: str
    month: date
    cost: Cost


def read_ledger(home: Home) -> tuple[Spending, ...]:
    """Every line, the first one first; none if nothing was ever spent. Raises LedgerError if one is not as it was written."""
    path = home.private_counts_ledger
    if not path.exists():
        return ()
    found, previous = [], FIRST
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            content = json.loads(line)
            one = Spending(
                entry=int(content["entry"]),
                spent_at=datetime.fromisoformat(content["spent_at"]),
                count=str(content["count"]),
                month=date.fromisoformat(content["month"]),
                cost=Cost(epsilon=Decimal(content["epsilon"]), delta=Decimal(content["delta"])),
            )
            is_next = one.entry == number and content["previous"] == previous
        except (ValueError, KeyError, TypeError, InvalidOperation):
            is_next = False
        if not is_next:
            raise LedgerError(
                f"line {number} of {path} is not as it was written: put the ledger back from a backup that is not older "
                "than the published copy"
            )
        found.append(one)
        previous = _hash(line)
    return tuple(found)


def spend(
    home: Home, ledger: Sequence[Spending], wanted: Sequence[tuple[str, date, Cost]], budget: Cost, now: datetime
) -> list[Spending]:
    """Write these (count, month, cost) down, all or none; durable when it returns. Raises BudgetExceededError.

    `ledger` is what `read_ledger` gave, under the lock of the same run.
    """
    for year in sorted({month.year for _, month, _ in wanted}):
        asked = sum((cost for _, month, cost in wanted if month.year == year), NOTHING)
        if not (spent_about(ledger, year) + asked).fits(budget):
            raise BudgetExceededError(f"what is left of {year}'s budget does not suffice")
    new = [
        Spending(entry=len(ledger) + number, spent_at=now.astimezone(UTC), count=count, month=month, cost=cost)
        for number, (count, month, cost) in enumerate(wanted, start=1)
    ]
    lines = home.private_counts_ledger.read_bytes().splitlines() if ledger else []
    for one in new:
        lines.append(_line(one, previous=_hash(lines[-1]) if lines else FIRST))
    write_durably(home.private_counts_ledger, b"\n".join(lines) + b"\n")
    return new


def spent_about(ledger: Iterable[Spending], year: int) -> Cost:
    """What the releases about this calendar year's months have cost."""
    return sum((one.cost for one in ledger if one.month.year == year), NOTHING)


def _line(one: Spending, *, previous: str) -> bytes:
    content = {
        "entry": one.entry,
        "spent_at": one.spent_at.isoformat(),
        "count": one.count,
        "month": one.month.isoformat(),
        "epsilon": str(one.cost.epsilon),
        "delta": format(one.cost.delta, "f"),
        "previous": previous,
    }
    return json.dumps(content).encode()


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()
