"""`leii access` and `leii correct`: what a person may ask for besides an erasure, carried out and answered."""

from dataclasses import dataclass

from ingestion.stripe_client import StripeApi, open_api
from orchestration.context import Run
from pseudonymisation.access.exports import WrittenExport
from pseudonymisation.access.requests import require_request
from pseudonymisation.access.run import Sources, export_person
from pseudonymisation.erasure.receipts import COMPLAIN, Receipt
from publishing.receipts import write_receipts
from storage import exclusive_run

STRIPE_RETRIES = 2
"""A person waits for this: what Stripe does not answer soon is named as missing."""

ACCESS_GIVEN = "Oversikten over hva vi har om deg, er laget."
ACCESS_INCOMPLETE = "Oversikten over hva vi har om deg, ble ikke fullstendig. Vi prøver igjen."


@dataclass(frozen=True, kw_only=True)
class AccessGiven:
    """Where the export lies, and the places that could not be read, each with its reason; empty for a complete one."""

    written: WrittenExport
    gaps: tuple[str, ...]


def give_access(run: Run, privacy_request_id: int, *, wait_seconds: float = 0.0) -> AccessGiven:
    """Write the export that a request asks for, and tell the app. Raises LeiiError, with nothing written, for a request
    that is unknown, unverified or withdrawn, or if another run is at work."""
    request = require_request(run.dsn, privacy_request_id, "access")
    sources = Sources(dsn=run.dsn, stripe=_stripe(run), events_root=run.settings.events_root)
    with exclusive_run(run.home, wait_seconds=wait_seconds):
        written, export = export_person(run.workspace, run.policy, sources, request)
        text = ACCESS_GIVEN if export.is_complete else ACCESS_INCOMPLETE
        write_receipts(run.dsn, [_receipt(privacy_request_id, text, is_done=export.is_complete)], run.workspace.now)
    return AccessGiven(written=written, gaps=tuple(f"{gap.place}: {gap.reason}" for gap in export.gaps))


def _stripe(run: Run) -> StripeApi | None:
    if run.settings.stripe_api_key is None:
        return None
    return open_api(run.settings.secret("stripe_api_key"), run.settings.stripe_api_base, retries=STRIPE_RETRIES)


def _receipt(privacy_request_id: int, text: str, *, is_done: bool) -> Receipt:
    return Receipt(
        privacy_request_id=privacy_request_id,
        state="done" if is_done else "waiting",
        eligible_at=None,
        explanation=f"{text} {COMPLAIN}",
        certificate_id=None,
    )
