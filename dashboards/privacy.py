"""What the privacy officer's page shows: read from the policy, certificates, names of versions and the last run's report.

Nothing here opens the vault, the warehouse or a published copy: a reader would hold up a run, and no page may need those
keys. What cannot be known that way is said to be unknown.
"""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from dashboards import wording
from pseudonymisation.erasure.certificate import verify_certificate
from pseudonymisation.policy.model import Policy, Purpose, Treatment
from publishing.readers import published_version
from storage import Home, LeiiError

TREATMENTS = {
    "keep": "as it is",
    "code": "as a short code",
    "pseudonym": "as a pseudonym of this purpose",
    "coarsen_time": "time cut to the {}",
    "coarsen_place": "place as its municipality",
    "coarsen_position": "position on a grid of {}",
    "coarsen_provider_position": "position on a grid of {}, of providers only",
    "coarsen_amount": "amount to the nearest {}",
    "coarsen_network": "network as a pseudonym",
    "flag": "yes or no ({})",
    "derive": "features only ({})",
    "validate": "whether it is valid by its register; otherwise {}",
    "registered_name": "whether it is the registered name",
}

SOURCES = {"app_db": "App database", "stripe": "Stripe", "events": "Tracking events"}

REQUEST_STATES = {
    "waiting_for_identity": "Waiting for the asker's identity to be verified",
    "waiting": "Waiting for its day",
    "held": "Held: a job is open, unpaid, disputed or claimed",
    "done": "Done, with a certificate",
    "refused": "Withdrawn by the asker",
}


@dataclass(frozen=True, kw_only=True)
class Requests:
    """Privacy requests as of a run. `total` and `by_state` are None where the last run did not say."""

    total: int | None
    by_state: dict[str, int] | None
    as_of: datetime | None


@dataclass(frozen=True, kw_only=True)
class ChainCheck:
    """What checking every certificate found. `problems`: (certificate's number, what is wrong)."""

    checked: int
    problems: tuple[tuple[int, str], ...]


def purposes(policy: Policy) -> pl.DataFrame:
    """One row a purpose, in words."""
    return pl.DataFrame(
        [
            {
                "purpose": f"**{purpose.title}**",
                "what_for": purpose.what_for,
                "basis": f"GDPR art. {purpose.basis_article}: {purpose.basis_reason}",
                "readers": ", ".join(wording.words(reader) for reader in purpose.readers),
                "kept": wording.retention(purpose.retention_days),
                "held_by_law": purpose.held_by_law.statute if purpose.held_by_law else wording.NOTHING,
                "limits": _limits(purpose),
                "columns": sum(len(table.outputs(purpose.name)) for table in policy.tables_of(purpose.name)),
                "tables": len(policy.tables_of(purpose.name)),
            }
            for purpose in policy.purposes.values()
        ]
    )


def columns_of(policy: Policy, purpose: str) -> pl.DataFrame:
    """One row a column that the purpose gets: where it comes from, what it is, and what becomes of it."""
    rows = [
        {
            "source": SOURCES[table.source],
            "table": table.name,
            "column": column.path,
            "category": column.category,
            "gets": treatment_in_words(treatment),
            "becomes": treatment.output,
        }
        for table in policy.tables_of(purpose)
        for column, treatment in table.outputs(purpose)
    ]
    return pl.DataFrame(rows)


def nobody_gets(policy: Policy) -> int:
    """How many classified columns go to no purpose at all."""
    return sum(not column.treatments for table in policy.tables.values() for column in table.columns.values())


def treatment_in_words(treatment: Treatment) -> str:
    words = TREATMENTS.get(treatment.name, treatment.name)
    return words.format("" if treatment.parameter is None else str(treatment.parameter).replace("_", " "))


def copies(home: Home, policy: Policy, now: datetime) -> pl.DataFrame:
    """One row a purpose: its published version, when it was built, its age and size, and older versions still there."""
    return pl.DataFrame([_copy(home, name, purpose.title, now) for name, purpose in policy.purposes.items()])


def certificates(home: Home) -> pl.DataFrame:
    """One row a certificate, the newest first; no column of it names anybody."""
    rows = [_certificate(path) for path in reversed(certificate_files(home))]
    return pl.DataFrame(rows, schema=_CERTIFICATE)


def certificate_files(home: Home) -> list[Path]:
    return sorted(home.certificates.glob("[0-9][0-9][0-9][0-9][0-9][0-9]-*.json"))


def check_chain(home: Home) -> ChainCheck:
    """Check every certificate's signature and place in the chain. Raises LeiiError without a public key."""
    files = certificate_files(home)
    problems: list[tuple[int, str]] = []
    for position, path in enumerate(files, start=1):
        try:
            verdict = verify_certificate(path, home.certificates / "public_key.pem")
        except LeiiError as error:
            problems.append((position, str(error)))
            continue
        problems += [(verdict.number, problem) for problem in verdict.problems]
    return ChainCheck(checked=len(files), problems=tuple(problems))


def requests(home: Home) -> Requests:
    """From the last run's report, which counts the receipts that it keeps in the app by their state."""
    report = _json(home.root / "last_run.json")
    if report is None:
        return Requests(total=None, by_state=None, as_of=None)
    told = [
        stage
        for stage in report.get("stages", [])
        if (stage.get("name"), stage.get("part"), stage.get("state")) == ("tell", "privacy_receipt", "done")
    ]
    counts = Counter({state: int(n) for stage in told for state, n in stage.get("tables", {}).items()})
    asked = sum(int(stage.get("counts", {}).get("requests", 0)) for stage in told)
    return Requests(
        total=asked if told else None,
        by_state=dict(counts) if told and sum(counts.values()) == asked else None,
        as_of=datetime.fromisoformat(report["started_at"]),
    )


_CERTIFICATE: dict[str, pl.DataType | type[pl.DataType]] = {
    "number": pl.Int64,
    "certificate": pl.String,
    "issued_at": pl.Datetime("us", "UTC"),
    "rows_deleted": pl.Int64,
    "rows_detached": pl.Int64,
    "rows_held": pl.Int64,
    "held_until": pl.Date,
    "columns_scanned": pl.Int64,
}


def _certificate(path: Path) -> dict[str, Any]:
    body = (_json(path) or {}).get("certificate") or {}
    issued, held_until = body.get("issued_at"), body.get("held_until")
    return {
        "number": int(path.name[:6]),
        "certificate": wording.short_id(str(body.get("certificate_id", "cannot be read"))),
        "issued_at": datetime.fromisoformat(issued).astimezone(UTC) if issued else None,
        "rows_deleted": sum(entry["rows_deleted"] for entry in body.get("erased", [])),
        "rows_detached": sum(entry["rows_detached"] for entry in body.get("erased", [])),
        "rows_held": sum(entry["rows"] for entry in body.get("held", [])),
        "held_until": datetime.fromisoformat(held_until).date() if held_until else None,
        "columns_scanned": sum(entry["columns"] for entry in body.get("scanned", [])),
    }


def _limits(purpose: Purpose) -> str:
    if purpose.min_customers == purpose.min_providers == 1:
        return "No limit"
    return f"{purpose.min_customers} customers, {purpose.min_providers} providers"


def _copy(home: Home, name: str, title: str, now: datetime) -> dict[str, Any]:
    version = published_version(home, name)
    folder = home.published_folder(name)
    files = [path for path in folder.glob("*.duckdb") if not path.is_symlink()]
    current = folder / f"{version}.duckdb"
    there = version is not None and current.exists()
    built = _built_at(version) if version else None
    return {
        "purpose": title,
        "version": version or "none yet",
        "built_at": built,
        "age": wording.age((now - built).total_seconds() / 3600) if built else wording.NOTHING,
        "megabytes": current.stat().st_size / 1e6 if there else None,
        "older_versions": len(files) - there,
    }


def _built_at(version: str) -> datetime | None:
    try:
        return datetime.strptime(version.split("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _json(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
