"""An erasure from request to certificate, in two parts of one pass: before the models are built, and after the copies.

`prepare_erasures` decides, tombstones and sweeps; then the models are built and published as on every day, which
recomputes what the sweep changed; `finish_erasures` looks everywhere, destroys the secret, looks again, and certifies.
Every step is written down when it is done and can be done again, so that a crash anywhere resumes.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from ingestion.landing import open_landing
from pseudonymisation.access.exports import remove_exports_of
from pseudonymisation.compaction import compact_if_due
from pseudonymisation.erasure.certificate import UNSENT_NOTICES, issue_certificates
from pseudonymisation.erasure.fitted import fitted_models
from pseudonymisation.erasure.held import expire_held, hold_banned, open_held, require_held
from pseudonymisation.erasure.jobs import BOOKS
from pseudonymisation.erasure.ledger import (
    block_cases,
    cases_in,
    enter_cookie,
    enter_requests,
    enter_vanished,
    move_cases,
    open_cases,
)
from pseudonymisation.erasure.orphans import sweep_orphans
from pseudonymisation.erasure.predicate import load_erased
from pseudonymisation.erasure.quarantined import forget_quarantined, forget_quarantined_values
from pseudonymisation.erasure.receipts import Receipt, read_receipts
from pseudonymisation.erasure.sweep import count_effects, resolve_pseudonyms, sweep_purpose
from pseudonymisation.erasure.verify import Scan, obstacles, scan_purpose
from pseudonymisation.loading import create_tables, open_purpose
from pseudonymisation.notices.store import Told, cases_looked_at, open_notices, told_of_cases
from pseudonymisation.policy.model import FLAGS, Policy
from pseudonymisation.registries.answers import forget_answers
from pseudonymisation.session import prepare_session
from pseudonymisation.vault import note_purge_due, open_vault, purge_if_due
from storage import Workspace

NO_NOTICES = "notices: it is not known yet which recipients are to be told"


@dataclass(frozen=True, kw_only=True)
class ErasurePreparation:
    """`swept`: people whose rows were swept in this pass or in one that was cut off; their models must be built anew.

    `orphans`: whom nobody knows any more in what a backup brought back, swept as well; a number over all purposes.
    """

    swept: int
    purposes_touched: tuple[str, ...]
    orphans: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ErasureResult:
    """The certificates issued, and for each case that could not be finished why; the next pass tries again."""

    certificates: tuple[str, ...]
    blocked: tuple[str, ...]


def prepare_erasures(
    workspace: Workspace, policy: Policy, dsn: str, *, cookie: str | None = None
) -> ErasurePreparation:
    """Rule on every request, tombstone who is eligible, and sweep the source tables of every purpose.

    `cookie`: an anonymousId that is to be erased as well; see `enter_cookie` for what is refused.
    """
    with workspace.connect() as con, open_vault(con, workspace):
        require_held(con, workspace)
        expire_held(con, workspace)
        orphans = sweep_orphans(con, workspace, policy)
        prepare_session(con, workspace, BOOKS)
        enter_requests(con, workspace, dsn)
        warning = enter_vanished(con, workspace)
        if cookie is not None:
            enter_cookie(con, workspace, cookie)
        prepare_session(con, workspace, FLAGS)
        open_cases(con, workspace)
        tombstoned = cases_in(con, "tombstoned")
        if tombstoned:
            _remove_exports(con, workspace, tombstoned)
            for purpose in policy.purposes:
                _sweep(con, workspace, policy, purpose, tombstoned)
        forget_quarantined(con, workspace)  # in every pass, as a broken line may come again
        forget_answers(con, workspace)
        move_cases(con, tombstoned, "swept", workspace.now)
        pending = cases_in(con, "swept", "recomputed", "published")
    return ErasurePreparation(
        swept=len(pending),
        purposes_touched=tuple(policy.purposes) if pending or orphans else (),
        orphans=orphans,
        warnings=(warning,) if warning else (),
    )


def finish_erasures(workspace: Workspace, policy: Policy) -> ErasureResult:
    """Verify, purge, forget, verify again and certify the swept cases. To be called when new copies are published."""
    if not workspace.home.vault_file.exists():
        return ErasureResult(certificates=(), blocked=())
    with workspace.connect() as con:
        with open_vault(con, workspace):
            blocked = _verify_rebuilt(con, workspace, policy)
            everyone = cases_in(con, "published")
            published = _with_notices(con, workspace, everyone)
            blocked += [NO_NOTICES] if len(published) < len(everyone) else []
        if published:
            for purpose in policy.purposes:
                compact_if_due(workspace, purpose)
            with open_vault(con, workspace):
                _remove_exports(con, workspace, published)  # one may have been asked for since the sweep
                _forget(con, workspace, published)
        purge_if_due(con, workspace)
        with open_vault(con, workspace):
            certificates, uncertified = _certify(con, workspace, policy)
        purge_if_due(con, workspace)
    return ErasureResult(certificates=tuple(certificates), blocked=tuple(dict.fromkeys(blocked + uncertified)))


def receipts(workspace: Workspace) -> list[Receipt]:
    """What the app is to show about every request that it has sent."""
    with workspace.connect() as con, open_vault(con, workspace, read_only=True):
        return read_receipts(con)


def _sweep(
    con: duckdb.DuckDBPyConnection, workspace: Workspace, policy: Policy, purpose: str, cases: list[str]
) -> None:
    with open_landing(workspace) as landing:
        batch_id = landing.reserve_batch_id()
    prepare_session(con, workspace, purpose)
    with open_purpose(con, workspace, purpose), open_held(con, workspace):
        create_tables(con, policy, purpose)
        resolve_pseudonyms(con, purpose)
        load_erased(con, purpose, cases)
        forget_quarantined_values(con, workspace, policy, purpose)
        if purpose == FLAGS:
            hold_banned(con, workspace, purpose)
        count_effects(con, policy, purpose)
        _note_effects(con, policy, purpose)
        sweep_purpose(con, policy, purpose, batch_id)


def _remove_exports(con: duckdb.DuckDBPyConnection, workspace: Workspace, cases: list[str]) -> None:
    rows = con.execute(
        "SELECT DISTINCT CAST(alias_hash AS VARCHAR) FROM vault.erasing_alias "
        "WHERE CAST(case_id AS VARCHAR) IN (SELECT unnest(?))",
        [cases],
    ).fetchall()
    remove_exports_of(workspace, [row[0] for row in rows])


def _note_effects(con: duckdb.DuckDBPyConnection, policy: Policy, purpose: str) -> None:
    """Before the sweep: one that is cut off and done again would count only what was left."""
    con.execute("BEGIN")
    con.execute(
        """
        INSERT INTO vault.erasure_effect
        SELECT case_id, ?, table_name, sum(rows_deleted), sum(rows_detached), sum(rows_held)
        FROM effect GROUP BY case_id, table_name
        """,
        [purpose],
    )
    if policy.purposes[purpose].held_by_law is not None:
        con.execute("""
            UPDATE vault.erasure SET held_until = greatest(erasure.held_until, longest.held_until)
            FROM (SELECT case_id, max(held_until) AS held_until FROM hold GROUP BY case_id) AS longest
            WHERE erasure.case_id = longest.case_id
        """)
    con.execute("COMMIT")


def _scan_all(con: duckdb.DuckDBPyConnection, workspace: Workspace, policy: Policy, cases: list[str]) -> list[Scan]:
    scans: list[Scan] = []
    for purpose in policy.purposes:
        load_erased(con, purpose, cases)
        scans.extend(scan_purpose(con, workspace, purpose))
    return scans


def _verify_rebuilt(con: duckdb.DuckDBPyConnection, workspace: Workspace, policy: Policy) -> list[str]:
    """Move swept cases to recomputed and published as far as the files bear it out."""
    cases = cases_in(con, "swept", "recomputed")
    if not cases:
        return []
    scans = _scan_all(con, workspace, policy, cases)
    published = {scan.purpose for scan in scans if scan.layer == "published"}
    scans += [
        Scan(layer="published", purpose=purpose, unread="no copy is published")
        for purpose in policy.purposes
        if purpose not in published
    ]
    in_warehouse = obstacles([scan for scan in scans if scan.layer == "warehouse"], cases)
    anywhere = obstacles(scans, cases)
    move_cases(con, [case for case in cases if case not in in_warehouse], "recomputed", workspace.now)
    move_cases(con, [case for case in cases if case not in anywhere], "published", workspace.now)
    block_cases(con, anywhere, workspace.now)
    return [reason for reasons in anywhere.values() for reason in reasons]


def _with_notices(con: duckdb.DuckDBPyConnection, workspace: Workspace, cases: list[str]) -> list[str]:
    """Those whose notices to recipients are made: nothing could name the others to anybody once they are forgotten."""
    if not cases:
        return []
    with open_notices(con, workspace):
        looked_at = cases_looked_at(con)
    block_cases(con, {case: [NO_NOTICES] for case in cases if case not in looked_at}, workspace.now)
    return [case for case in cases if case in looked_at]


def _forget(con: duckdb.DuckDBPyConnection, workspace: Workspace, cases: list[str]) -> None:
    """Destroy the secrets and every alias of these people; only tombstones stay."""
    mine = "SELECT {} FROM vault.erasing_alias WHERE CAST(case_id AS VARCHAR) IN (SELECT unnest(?))"
    con.execute("BEGIN")
    for table in ("subject", "disclosure"):
        con.execute(f"DELETE FROM vault.{table} WHERE subject_id IN ({mine.format('subject_id')})", [cases])
    for table in ("alias", "vanished"):
        con.execute(f"DELETE FROM vault.{table} WHERE alias_hash IN ({mine.format('alias_hash')})", [cases])
    con.execute(f"DELETE FROM vault.merged_subject WHERE subject_id IN ({mine.format('subject_id')})", [cases])
    con.execute(f"DELETE FROM vault.cookie_link WHERE cookie_hash IN ({mine.format('alias_hash')})", [cases])
    move_cases(con, cases, "forgotten", workspace.now)
    note_purge_due(con, workspace)
    con.execute("COMMIT")


def _certify(con: duckdb.DuckDBPyConnection, workspace: Workspace, policy: Policy) -> tuple[list[str], list[str]]:
    """The certificates issued, and what stands in the way of the others."""
    cases = cases_in(con, "forgotten", "verified")
    if not cases:
        return [], []
    scans = _scan_all(con, workspace, policy, cases)
    left = obstacles(scans, cases)
    block_cases(con, left, workspace.now)
    reasons = [reason for reasons in left.values() for reason in reasons]
    clean = [case for case in cases if case not in left]
    if not clean:
        return [], reasons
    con.execute(
        "UPDATE vault.erasure SET state = 'verified', certificate_id = coalesce(certificate_id, CAST(uuid() AS VARCHAR)) "
        "WHERE CAST(case_id AS VARCHAR) IN (SELECT unnest(?))",
        [clean],
    )
    issue_certificates(workspace, _contents(con, workspace, policy, clean, scans))
    return _close(con, workspace, clean), reasons


def _close(con: duckdb.DuckDBPyConnection, workspace: Workspace, cases: list[str]) -> list[str]:
    """Remove whatever led to these people, once their certificates are written; gives the certificates."""
    case_ids = "(SELECT CAST(unnest(?) AS UUID))"
    con.execute("BEGIN")
    con.execute(
        f"""
        UPDATE vault.tombstone SET certificate_id = named.certificate_id
        FROM (
            SELECT alias_hash, max(certificate_id) AS certificate_id
            FROM vault.erasing_alias JOIN vault.erasure USING (case_id) WHERE case_id IN {case_ids} GROUP BY alias_hash
        ) AS named
        WHERE tombstone.alias_hash = named.alias_hash
        """,
        [cases],
    )
    con.execute(f"UPDATE vault.request SET alias_hash = NULL WHERE case_id IN {case_ids}", [cases])
    for table in ("erasing_alias", "erasing_pseudonym", "erasure_effect"):
        con.execute(f"DELETE FROM vault.{table} WHERE case_id IN {case_ids}", [cases])
    move_cases(con, cases, "certified", workspace.now)
    note_purge_due(con, workspace)
    con.execute("COMMIT")
    issued = f"SELECT certificate_id FROM vault.erasure WHERE case_id IN {case_ids} ORDER BY case_id"
    return [str(row[0]) for row in con.execute(issued, [cases]).fetchall()]


def _recipients(policy: Policy, told: Sequence[Told]) -> dict[str, Any]:
    """Who is told, and who is not and why. That a notice waits is no gap in the erasure, but it must be said where."""
    titles = {name: recipient.title for name, recipient in policy.recipients.items()}
    return {
        "recipients": [
            {
                "recipient": one.recipient,
                "title": titles.get(one.recipient),
                "notice_id": one.notice_id,
                "told": one.state,
            }
            for one in told
        ],
        "recipients_not_told": [
            {"recipient": name, "title": one.title, "why": one.not_told["erasure"]}
            for name, one in policy.recipients.items()
            if one.is_given and "erasure" in one.not_told
        ],
        "unsent_notices": UNSENT_NOTICES if any(one.state == "waiting" for one in told) else None,
    }


def _contents(
    con: duckdb.DuckDBPyConnection, workspace: Workspace, policy: Policy, cases: list[str], scans: list[Scan]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The id and content of each case's certificate."""
    standing = con.execute(
        "SELECT CAST(case_id AS VARCHAR), certificate_id, held_until FROM vault.erasure "
        "WHERE CAST(case_id AS VARCHAR) IN (SELECT unnest(?)) ORDER BY 1",
        [cases],
    ).fetchall()
    effects: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for case, *effect in con.execute(_EFFECTS, [cases]).fetchall():
        effects[case].append(tuple(effect))
    with open_notices(con, workspace):
        told = told_of_cases(con, cases)
    scanned = [
        {"layer": s.layer, "purpose": s.purpose, "tables": s.tables, "columns": s.columns, "survivors": 0}
        for s in scans
    ]
    models = fitted_models(con, workspace)
    for case, certificate_id, held_until in standing:
        content = _content(policy, effects[case], held_until) | {"scanned": scanned}
        yield str(certificate_id), content | _recipients(policy, told.get(case, [])) | {"models": models}


_EFFECTS = """
SELECT CAST(case_id AS VARCHAR), purpose, table_name, max(rows_deleted), max(rows_detached), max(rows_held)
FROM vault.erasure_effect WHERE CAST(case_id AS VARCHAR) IN (SELECT unnest(?)) GROUP BY ALL ORDER BY ALL
"""


def _content(policy: Policy, effects: Sequence[tuple[Any, ...]], held_until: Any) -> dict[str, Any]:
    laws = {name: purpose.held_by_law for name, purpose in policy.purposes.items()}
    return {
        "erased": [
            {"purpose": p, "table": t, "rows_deleted": deleted, "rows_detached": detached}
            for p, t, deleted, detached, _ in effects
            if deleted or detached
        ],
        "held": [
            {"purpose": p, "table": t, "rows": held, "statute": law.statute}
            for p, t, _, _, held in effects
            if held and (law := laws[p]) is not None
        ],
        "held_until": held_until.isoformat() if held_until else None,
    }
