"""An erasure from request to certificate, in two parts of one pass: before the models are built, and after the copies.

`prepare_erasures` decides, tombstones and sweeps; then the models are built and published as on every day, which
recomputes what the sweep changed; `finish_erasures` looks everywhere, destroys the secret, looks again, and certifies.
Every step is written down when it is done and can be done again, so that a crash anywhere resumes.
"""

import uuid
from dataclasses import dataclass
from typing import Any

import duckdb

from ingestion.landing import open_landing
from pseudonymisation.erasure.certificate import issue_certificate
from pseudonymisation.erasure.held import expire_held, hold_banned, open_held
from pseudonymisation.erasure.jobs import BOOKS
from pseudonymisation.erasure.ledger import (
    block_cases,
    cases_in,
    enter_requests,
    enter_vanished,
    move_cases,
    open_cases,
)
from pseudonymisation.erasure.predicate import load_erased
from pseudonymisation.erasure.receipts import Receipt, read_receipts
from pseudonymisation.erasure.sweep import count_effects, resolve_pseudonyms, sweep_purpose
from pseudonymisation.erasure.verify import Scan, scan_purpose, survivors
from pseudonymisation.loading import create_tables, open_purpose
from pseudonymisation.policy.model import Policy
from pseudonymisation.session import prepare_session
from pseudonymisation.vault import open_vault, purge_vault
from storage import Workspace, compact_copy

FLAGS = "fraud"
"""The purpose whose flags carry an id that the app sends back."""


@dataclass(frozen=True, kw_only=True)
class ErasurePreparation:
    """`swept`: people whose rows were swept in this pass or in one that was cut off; their models must be built anew."""

    swept: int
    purposes_touched: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ErasureResult:
    """The certificates issued, and for each case that could not be finished why; the next pass tries again."""

    certificates: tuple[str, ...]
    blocked: tuple[str, ...]


def prepare_erasures(workspace: Workspace, policy: Policy, dsn: str) -> ErasurePreparation:
    """Rule on every request, tombstone who is eligible, and sweep the source tables of every purpose."""
    with workspace.connect() as con:
        expire_held(con, workspace)
        with open_vault(con, workspace):
            prepare_session(con, workspace, BOOKS)
            enter_requests(con, workspace, dsn)
            enter_vanished(con, workspace)
            prepare_session(con, workspace, FLAGS)
            open_cases(con, workspace)
            tombstoned = cases_in(con, "tombstoned")
            if tombstoned:
                for purpose in policy.purposes:
                    _sweep(con, workspace, policy, purpose, tombstoned)
                move_cases(con, tombstoned, "swept", workspace.now)
            pending = cases_in(con, "swept", "recomputed", "published")
    return ErasurePreparation(swept=len(pending), purposes_touched=tuple(policy.purposes) if pending else ())


def finish_erasures(workspace: Workspace, policy: Policy) -> ErasureResult:
    """Verify, purge, forget, verify again and certify the swept cases. To be called when new copies are published."""
    if not workspace.home.vault_file.exists():
        return ErasureResult(certificates=(), blocked=())
    with workspace.connect() as con:
        with open_vault(con, workspace):
            blocked = _verify_rebuilt(con, workspace, policy)
            published = cases_in(con, "published")
        if published:
            for purpose in policy.purposes:
                key, file = workspace.keyring.purpose_key(purpose, "warehouse"), workspace.home.warehouse_file(purpose)
                compact_copy(con, file, key, file, key)
            with open_vault(con, workspace):
                _forget(con, workspace, published)
            purge_vault(con, workspace)
        with open_vault(con, workspace):
            certificates = _certify(con, workspace, policy)
        if certificates:
            purge_vault(con, workspace)
    return ErasureResult(certificates=tuple(certificates), blocked=tuple(blocked))


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
        if purpose == FLAGS:
            hold_banned(con, workspace, purpose)
        count_effects(con, policy, purpose)
        _note_effects(con, policy, purpose)
        sweep_purpose(con, policy, purpose, batch_id)


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
    left = survivors(scans)
    missing = [p for p in policy.purposes if not any(s.purpose == p and s.layer == "published" for s in scans)]
    left += [f"published/{purpose}: no copy is published" for purpose in missing]
    if not survivors([scan for scan in scans if scan.layer == "warehouse"]):
        move_cases(con, cases, "recomputed", workspace.now)
    if left:
        block_cases(con, cases, "; ".join(left), workspace.now)
    else:
        move_cases(con, cases, "published", workspace.now)
    return left


def _forget(con: duckdb.DuckDBPyConnection, workspace: Workspace, cases: list[str]) -> None:
    """Destroy the secrets and every alias of these people; only tombstones stay."""
    mine = "SELECT {} FROM vault.erasing_alias WHERE CAST(case_id AS VARCHAR) IN (SELECT unnest(?))"
    con.execute("BEGIN")
    con.execute(f"DELETE FROM vault.subject WHERE subject_id IN ({mine.format('subject_id')})", [cases])
    for table in ("alias", "vanished"):
        con.execute(f"DELETE FROM vault.{table} WHERE alias_hash IN ({mine.format('alias_hash')})", [cases])
    for column in ("cookie_hash", "account_hash"):
        con.execute(f"DELETE FROM vault.cookie_link WHERE {column} IN ({mine.format('alias_hash')})", [cases])
    move_cases(con, cases, "forgotten", workspace.now)
    con.execute("COMMIT")


def _certify(con: duckdb.DuckDBPyConnection, workspace: Workspace, policy: Policy) -> list[str]:
    forgotten, verified = cases_in(con, "forgotten"), cases_in(con, "verified")
    if not forgotten and not verified:
        return []
    scans = _scan_all(con, workspace, policy, forgotten + verified)
    left = survivors(scans)
    if left:
        block_cases(con, forgotten + verified, "; ".join(left), workspace.now)
        return []
    for case in forgotten:
        con.execute(
            "UPDATE vault.erasure SET state = 'verified', certificate_id = ? WHERE CAST(case_id AS VARCHAR) = ?",
            [str(uuid.uuid4()), case],
        )
    return [_certify_case(con, workspace, policy, case, scans) for case in forgotten + verified]


def _certify_case(
    con: duckdb.DuckDBPyConnection, workspace: Workspace, policy: Policy, case: str, scans: list[Scan]
) -> str:
    row = con.execute(
        "SELECT certificate_id, held_until FROM vault.erasure WHERE CAST(case_id AS VARCHAR) = ?", [case]
    ).fetchone()
    assert row is not None
    certificate_id = str(row[0])
    issue_certificate(workspace, certificate_id, _content(con, policy, case, row[1], scans))
    con.execute("BEGIN")
    con.execute(
        "UPDATE vault.tombstone SET certificate_id = ? WHERE alias_hash IN "
        "(SELECT alias_hash FROM vault.erasing_alias WHERE CAST(case_id AS VARCHAR) = ?)",
        [certificate_id, case],
    )
    con.execute("UPDATE vault.request SET alias_hash = NULL WHERE CAST(case_id AS VARCHAR) = ?", [case])
    for table in ("erasing_alias", "erasing_pseudonym", "erasure_effect"):
        con.execute(f"DELETE FROM vault.{table} WHERE CAST(case_id AS VARCHAR) = ?", [case])
    move_cases(con, [case], "certified", workspace.now)
    con.execute("COMMIT")
    return certificate_id


def _content(
    con: duckdb.DuckDBPyConnection, policy: Policy, case: str, held_until: Any, scans: list[Scan]
) -> dict[str, Any]:
    effects = con.execute(
        "SELECT purpose, table_name, max(rows_deleted), max(rows_detached), max(rows_held) FROM vault.erasure_effect "
        "WHERE CAST(case_id AS VARCHAR) = ? GROUP BY 1, 2 ORDER BY 1, 2",
        [case],
    ).fetchall()
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
        "scanned": [
            {"layer": s.layer, "purpose": s.purpose, "tables": s.tables, "columns": s.columns, "survivors": 0}
            for s in scans
        ],
    }
