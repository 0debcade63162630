"""One clock for a whole run, which tests and replays can fix with LEII_NOW."""

import os
from datetime import UTC, datetime

from storage.errors import LeiiError


def parse_now(text: str) -> datetime:
    """An ISO 8601 time with its offset, as UTC. Raises LeiiError for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise LeiiError(f"LEII_NOW is {text!r}: write an ISO 8601 time with its offset, such as 2026-11-15T06:00:00Z")
    return moment.astimezone(UTC)


def fixed_or_real_now() -> datetime:
    """The time of LEII_NOW if it is set, or else the machine's, in UTC."""
    fixed = os.environ.get("LEII_NOW")
    return parse_now(fixed) if fixed else datetime.now(UTC)
