"""Privacy requests of the app other than erasures, and which of them may be carried out (R23)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import psycopg

from storage import LeiiError

Kind = Literal["access", "rectification"]

_REQUESTS = """
select privacy_request_id, account_id::text, kind, requested_at, identity_verified_at is not null, withdrawn_at is not null
from app.privacy_request where {condition} order by privacy_request_id
"""


@dataclass(frozen=True, kw_only=True)
class RightsRequest:
    """One request. `account_id` is the person's own id in the app and goes into no message."""

    privacy_request_id: int
    account_id: str
    kind: str
    requested_at: datetime
    identity_verified: bool
    withdrawn: bool


def require_request(dsn: str, number: int, kind: Kind) -> RightsRequest:
    """The request with this number. Raises LeiiError unless it is of this kind, verified and not withdrawn."""
    found = _read(dsn, "privacy_request_id = %s", [number])
    if not found:
        raise LeiiError(f"no privacy request {number} in app.privacy_request: check the number")
    request = found[0]
    if request.kind != kind:
        raise LeiiError(f"privacy request {number} asks for {request.kind}, not for {kind}: nothing was done")
    if request.withdrawn:
        raise LeiiError(f"privacy request {number} was withdrawn: nothing was done")
    if not request.identity_verified:
        raise LeiiError(
            f"privacy request {number}: nobody has verified the asker's identity yet, so nothing was done; "
            "verify it in the app first"
        )
    return request


def requests_to_carry_out(dsn: str, kind: Kind) -> list[RightsRequest]:
    """Every request of this kind that is verified, not withdrawn, and has no receipt that says done."""
    unanswered = (
        "kind = %s and identity_verified_at is not null and withdrawn_at is null and privacy_request_id not in "
        "(select privacy_request_id from app.privacy_receipt where state = 'done')"
    )
    return _read(dsn, unanswered, [kind])


def _read(dsn: str, condition: str, parameters: list[object]) -> list[RightsRequest]:
    try:
        with psycopg.connect(dsn) as connection:
            rows = connection.execute(_REQUESTS.format(condition=condition).encode(), parameters).fetchall()
    except psycopg.Error as error:
        kind = type(error).__name__
        raise LeiiError(f"the app's privacy requests cannot be read ({kind}): check LEII_APP_DB_DSN") from None
    return [
        RightsRequest(
            privacy_request_id=row[0],
            account_id=row[1],
            kind=row[2],
            requested_at=row[3],
            identity_verified=row[4],
            withdrawn=row[5],
        )
        for row in rows
    ]
