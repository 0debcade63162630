"""`leii access` and `leii correct`: what a person may ask for besides an erasure, carried out and answered."""

from collections.abc import Callable
from dataclasses import dataclass

from ingestion.stripe_client import StripeApi, open_api
from orchestration import dbt_runs, steps
from orchestration.context import Run, active_run
from orchestration.report import Stage
from pseudonymisation.access.exports import WrittenExport
from pseudonymisation.access.requests import RightsRequest, requests_to_carry_out, require_request
from pseudonymisation.access.run import Sources, export_person
from pseudonymisation.correction import PurposeStanding, corrections_standing
from pseudonymisation.erasure.orphans import require_vault
from pseudonymisation.erasure.receipts import COMPLAIN, Receipt
from pseudonymisation.notices.making import make_correction_notices
from publishing.receipts import write_receipts
from storage import exclusive_run

STRIPE_RETRIES = 2
"""A person waits for this: what Stripe does not answer soon is named as missing."""

ACCESS_GIVEN = "Oversikten over hva vi har om deg, er laget."
ACCESS_INCOMPLETE = "Oversikten over hva vi har om deg, ble ikke fullstendig. Vi prøver igjen."

CORRECTED = "Det du har rettet i appen, er rettet i hele analysesystemet, og den gamle verdien er borte."
NOT_CORRECTED = "Det du har rettet i appen, er ikke kommet frem overalt ennå. Vi prøver igjen."


@dataclass(frozen=True, kw_only=True)
class Correction:
    """How every purpose stands with what one request corrected."""

    privacy_request_id: int
    purposes: tuple[PurposeStanding, ...]

    @property
    def is_done(self) -> bool:
        return all(standing.is_right for standing in self.purposes)


@dataclass(frozen=True, kw_only=True)
class AccessGiven:
    """Where the export lies, and the places that could not be read, each with its reason; empty for a complete one."""

    written: WrittenExport
    gaps: tuple[str, ...]


def give_access(run: Run, privacy_request_id: int, *, wait_seconds: float = 0.0) -> AccessGiven:
    """Write the export that a request asks for, and tell the app. Raises LeiiError, with nothing written, for a request
    that is unknown, unverified or withdrawn, or if another run is at work."""
    request = require_request(run.dsn, privacy_request_id, "access")
    sources = Sources(dsn=run.dsn, stripe=_stripe(run), events_root=run.settings.events_root, s3=run.settings.s3())
    with exclusive_run(run.home, wait_seconds=wait_seconds):
        written, export = export_person(run.workspace, run.policy, sources, request)
        text = ACCESS_GIVEN if export.is_complete else ACCESS_INCOMPLETE
        write_receipts(run.dsn, [_receipt(privacy_request_id, text, is_done=export.is_complete)], run.workspace.now)
    return AccessGiven(written=written, gaps=tuple(f"{gap.place}: {gap.reason}" for gap in export.gaps))


def carry_corrections(
    run: Run,
    privacy_request_id: int | None,
    *,
    wait_seconds: float = 0.0,
    on_change: Callable[[Stage], None] = lambda stage: None,
) -> list[Correction]:
    """Bring what these requests (None: all that wait) corrected in the app to every purpose, look, tell the app, and
    queue what recipients are to be told.

    Nothing is built if every purpose has it already. Raises LeiiError for a request that is unknown, unverified or
    withdrawn, and at the first stage that fails.
    """
    run.report.on_change = on_change
    if privacy_request_id is None:
        requests = requests_to_carry_out(run.dsn, "rectification")
    else:
        requests = [require_request(run.dsn, privacy_request_id, "rectification")]
    with exclusive_run(run.home, wait_seconds=wait_seconds), active_run(run):
        require_vault(run.workspace, run.policy)
        corrections = [_standing(run, request) for request in requests]
        if not all(one.is_done for one in corrections):
            _carry(run)
            corrections = [_standing(run, request) for request in requests]
        done = {one.privacy_request_id for one in corrections if one.is_done}
        for request in requests:
            if request.privacy_request_id in done:
                make_correction_notices(run.workspace, run.policy, run.dsn, request)
        receipts = [
            _receipt(one.privacy_request_id, CORRECTED if one.is_done else NOT_CORRECTED, is_done=one.is_done)
            for one in corrections
        ]
        write_receipts(run.dsn, receipts, run.workspace.now)
    return corrections


def _standing(run: Run, request: RightsRequest) -> Correction:
    standing = corrections_standing(run.workspace, run.policy, run.dsn, request.account_id)
    return Correction(privacy_request_id=request.privacy_request_id, purposes=tuple(standing))


def _carry(run: Run) -> None:
    """The stages of a run, for what is new in the app database alone."""
    dbt_runs.begin_parsing(run.home)
    steps.pull_app_db(run)
    steps.register_people(run)
    for purpose in run.purposes:
        steps.load_purpose(run, purpose)
    steps.build_and_publish(run, run.purposes)
    steps.empty_landing(run)


def _stripe(run: Run) -> StripeApi | None:
    if run.settings.stripe_api_key is None:
        return None
    key, base = run.settings.secret("stripe_api_key"), run.settings.stripe_api_base
    return open_api(key, base, retries=STRIPE_RETRIES, pacer=run.settings.stripe_pacer())


def _receipt(privacy_request_id: int, text: str, *, is_done: bool) -> Receipt:
    return Receipt(
        privacy_request_id=privacy_request_id,
        state="done" if is_done else "waiting",
        eligible_at=None,
        explanation=f"{text} {COMPLAIN}",
        certificate_id=None,
    )
