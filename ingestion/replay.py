"""Quarantined rows once more through the normal way in, after what was wrong has been mended."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from ingestion.event_fields import ENVELOPE_ONLY, EventFields
from ingestion.events import SOURCE as EVENTS
from ingestion.events import Refusals, land_again, no_refusals
from ingestion.landing import Landing
from ingestion.quarantine import Quarantine
from storage import Workspace

ROWS_TOGETHER = 2_000


@dataclass(frozen=True, kw_only=True)
class Replay:
    """`passed`: rows that have left quarantine. Of these, `landed` go to the purposes; the others were doubles, or their
    sender had not consented. `left`: what still does not pass, or stands for a file or an object, which its source has."""

    passed: int = 0
    landed: int = 0
    left: int = 0


def replay_quarantine(
    workspace: Workspace,
    landing: Landing,
    *,
    wanted: EventFields = ENVELOPE_ONLY,
    refusals: Refusals = no_refusals,
    ip_countries: Path | None = None,
) -> Replay:
    """Try every row. One that passes is landed before it leaves: killed in between, it is tried and landed again.

    The options are those of `pull_events`.
    """
    quarantine = Quarantine(workspace)
    quarantine.remove_expired(workspace.now)
    rows = quarantine.identified()
    lines = rows.filter(pc.and_(pc.equal(rows["source"], EVENTS), pc.greater(pc.fill_null(rows["line"], 0), 0)))
    passed: list[str] = []
    landed = 0
    for start in range(0, lines.num_rows, ROWS_TOGETHER):
        part = quarantine.with_ids(lines["row_id"].slice(start, ROWS_TOGETHER).to_pylist())
        pull, is_good = land_again(
            workspace,
            landing,
            quarantine,
            part,
            wanted=wanted,
            refusals=refusals,
            ip_countries=ip_countries,
        )
        gone = part.filter(is_good)["row_id"].to_pylist()
        quarantine.remove(gone)
        passed += gone
        landed += pull.landed
    return Replay(passed=len(passed), landed=landed, left=rows.num_rows - len(passed))
