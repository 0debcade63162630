"""What the app shows a person about their request: a state and plain Norwegian words, without personal data (R19, R26)."""

from dataclasses import dataclass
from datetime import date, datetime

import duckdb

STATE_OF = {
    "withdrawn": "refused",
    "identity_unverified": "waiting_for_identity",
    "grace_period": "waiting",
    "job_open": "held",
    "job_unpaid": "held",
    "job_disputed": "held",
    "job_claimed": "held",
    "eligible": "waiting",
}

TEXT_OF = {
    "withdrawn": "Du har trukket forespørselen tilbake. Ingenting er slettet.",
    "identity_unverified": "Vi må bekrefte hvem du er før vi kan slette noe.",
    "grace_period": "Opplysningene slettes 30 dager etter at siste oppdrag er utført og betalt.",
    "job_open": "Et oppdrag er ikke avsluttet. Opplysningene slettes 30 dager etter at det er utført og betalt.",
    "job_unpaid": "Et oppdrag er ikke betalt. Opplysningene slettes 30 dager etter at det er betalt.",
    "job_disputed": "En betaling er bestridt. Opplysningene kan slettes når saken er avgjort.",
    "job_claimed": "En forsikringssak er ikke avgjort. Opplysningene kan slettes når den er oppgjort.",
    "eligible": "Slettingen er i gang.",
}

DONE = "Opplysningene dine er slettet fra analysesystemet."
DONE_HELD = "Regnskapsmateriale som loven krever, oppbevares adskilt til {day} og slettes deretter."
COMPLAIN = "Spørsmål: post@leii.no. Du kan klage til Datatilsynet (datatilsynet.no)."


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """How one request stands. `explanation`: plain words, no personal data. `eligible_at`: when a waiting one runs."""

    privacy_request_id: int
    state: str
    eligible_at: datetime | None
    explanation: str
    certificate_id: str | None


def read_receipts(con: duckdb.DuckDBPyConnection) -> list[Receipt]:
    """A receipt for every request in the ledger. The session has the vault attached."""
    rows = con.execute("""
        SELECT request.privacy_request_id, request.decision, request.eligible_at,
            erasure.state, erasure.certificate_id, erasure.held_until
        FROM vault.request AS request LEFT JOIN vault.erasure AS erasure USING (case_id)
        WHERE request.privacy_request_id IS NOT NULL ORDER BY 1
    """).fetchall()
    return [_receipt(*row) for row in rows]


def _receipt(
    number: int,
    decision: str,
    eligible_at: datetime | None,
    state: str | None,
    certificate: str | None,
    held: date | None,
) -> Receipt:
    if state == "certified":
        words = [DONE, DONE_HELD.format(day=held.strftime("%d.%m.%Y")) if held else "", COMPLAIN]
        return Receipt(
            privacy_request_id=number,
            state="done",
            eligible_at=None,
            explanation=" ".join(word for word in words if word),
            certificate_id=certificate,
        )
    return Receipt(
        privacy_request_id=number,
        state=STATE_OF[decision],
        eligible_at=eligible_at if decision == "grace_period" else None,
        explanation=f"{TEXT_OF[decision]} {COMPLAIN}",
        certificate_id=None,
    )
