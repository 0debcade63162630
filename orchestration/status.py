"""How things stand, at any time: also while a run is at work, and when the sources cannot be reached."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from orchestration.quarantine_page import quarantine_counts
from orchestration.report import read_last_report
from orchestration.settings import Settings
from pseudonymisation.policy.reading import load_policy
from publishing.readers import open_published, published_version
from storage import Home, LeiiError, Workspace, count

WAIT_FOR_APP_SECONDS = 3


def read_status(settings: Settings) -> dict[str, Any]:
    """Everything that `leii status` shows, as plain data."""
    workspace = settings.workspace_there()
    home = workspace.home
    return {
        "home": str(home.root),
        "now": workspace.now.isoformat(),
        "last_run": _last_run(home),
        "landing": _landing(workspace),
        "quarantine": _files(home.quarantine, "*.parquet") | {"rows": quarantine_counts(workspace)},
        "published": {purpose: _published(workspace, purpose) for purpose in load_policy().purposes},
        "privacy": _privacy(workspace),
        "notices": _notices(workspace),
        "certificates": len(list(home.certificates.glob("*-*.json"))) if home.certificates.is_dir() else 0,
        "flags_in_the_app": _flags(settings),
        "replication": _replication(settings),
    }


def _last_run(home: Home) -> dict[str, Any] | None:
    report = read_last_report(home)
    if report is None:
        return None
    stages = report["stages"]
    return {
        "started_at": report["started_at"],
        "seconds": report["seconds"],
        "is_complete": report["is_complete"],
        "failed": [f"{one['name']} {one['part'] or ''}".strip() for one in stages if one["state"] == "failed"],
        "warnings": [warning for one in stages for warning in one["warnings"]],
        "read": {one["part"]: one["tables"] for one in stages if one["name"] == "read"},
        "stored": {one["part"]: one["tables"] for one in stages if one["name"] == "pseudonymise"},
    }


def _landing(workspace: Workspace) -> dict[str, int]:
    """Batches that somebody has yet to take. The register is read without opening landing, which a run may hold."""
    import sqlite3

    register = workspace.home.landing / "register.sqlite"
    if not register.exists():
        return {}
    connection = sqlite3.connect(f"file:{register}?mode=ro", uri=True)
    try:
        rows = connection.execute("select source, count(*) from batch group by source order by source").fetchall()
    finally:
        connection.close()
    return dict(rows)


def _files(folder: Path, pattern: str) -> dict[str, Any]:
    files = [path for path in folder.rglob(pattern) if path.is_file()] if folder.is_dir() else []
    oldest = min((path.stat().st_mtime for path in files), default=None)
    return {"files": len(files), "oldest": datetime.fromtimestamp(oldest, UTC).isoformat() if oldest else None}


def _published(workspace: Workspace, purpose: str) -> dict[str, Any] | None:
    version = published_version(workspace.home, purpose)
    if version is None:
        return None
    with open_published(workspace.home, workspace.keyring, purpose) as con:
        built = con.execute("SELECT built_at FROM about").fetchone()
        names = [
            row[0]
            for row in con.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'marts'").fetchall()
        ]
        rows = {name: count(con, f'SELECT count(*) FROM marts."{name}"') for name in sorted(names)}
    assert built is not None
    hours = (workspace.now - built[0]).total_seconds() / 3600
    return {"version": version, "built_at": built[0].isoformat(), "age_hours": round(hours, 1), "rows": rows}


def _privacy(workspace: Workspace) -> dict[str, Any]:
    """Requests by what was decided, cases by how far they have come; counts only."""
    from pseudonymisation.vault import open_vault

    if not workspace.home.vault_file.exists():
        return {"requests": {}, "cases": {}}
    try:
        with workspace.connect() as con, open_vault(con, workspace, read_only=True):
            requests = con.execute("SELECT decision, count(*) FROM vault.request GROUP BY 1 ORDER BY 1").fetchall()
            cases = con.execute("SELECT state, count(*) FROM vault.erasure GROUP BY 1 ORDER BY 1").fetchall()
    except LeiiError:
        return {"busy": "a run is writing the vault"}
    return {"requests": dict(requests), "cases": dict(cases)}


def _notices(workspace: Workspace) -> dict[str, Any]:
    """What waits to be told to recipients outside Leii, and how old the oldest of it is; counts only."""
    from pseudonymisation.notices.store import queue_of

    try:
        queue = queue_of(workspace)
    except LeiiError:
        return {"busy": "a run is writing the notices"}
    oldest = min((one.oldest for one in queue), default=None)
    return {
        "waiting": sum(one.waiting for one in queue),
        "overdue": sum(one.overdue for one in queue),
        "oldest": oldest.isoformat() if oldest else None,
        "oldest_days": (workspace.now - oldest).days if oldest else None,
    }


def _flags(settings: Settings) -> dict[str, Any]:
    if settings.app_db_dsn is None:
        return {"unknown": "LEII_APP_DB_DSN is not set"}
    try:
        with psycopg.connect(settings.secret("app_db_dsn"), connect_timeout=WAIT_FOR_APP_SECONDS) as connection:
            found = connection.execute("select status, count(*) from app.fraud_flag group by 1 order by 1").fetchall()
    except psycopg.Error:
        return {"unknown": "the app database cannot be reached"}
    return dict(found)


def _replication(settings: Settings) -> dict[str, Any] | None:
    """The slot that the app database is followed by, and the WAL that it keeps back there; None where none is set."""
    from ingestion.app_db_slot import open_primary, read_slot

    if settings.app_db_changes != "logical_replication" or settings.app_db_dsn is None:
        return None
    source = settings.app_db_source()
    try:
        with open_primary(source) as connection:
            slot = read_slot(connection, source.slot)
    except LeiiError as error:
        return {"slot": source.slot, "state": str(error)}
    if slot is None:
        return {"slot": source.slot, "state": "not made yet, or gone"}
    kept = slot.kept_bytes >> 20
    state = "lost" if slot.is_lost else "keeps too much" if kept > source.kept_wal_limit_mb else "good"
    return {"slot": source.slot, "state": state, "kept_wal_mb": kept, "limit_mb": source.kept_wal_limit_mb}


def print_status(console: Any, standing: Mapping[str, Any]) -> None:
    """The same for a person."""
    from rich.table import Table

    console.print(f"[bold]{standing['home']}[/bold] at {standing['now']}")
    _print_last_run(console, standing["last_run"])
    waiting = ", ".join(f"{count} of {source}" for source, count in standing["landing"].items())
    console.print(f"landing: {waiting or 'empty'}")
    kept = [f"{one['rows']:,} of {one['source']} ({one['reason_code']})" for one in standing["quarantine"]["rows"]]
    console.print(f"quarantine: {', '.join(kept) or 'empty'}")
    table = Table("published", "version", "hours old", "table", "rows", box=None, pad_edge=False, header_style="bold")
    for purpose, copy in standing["published"].items():
        if copy is None:
            table.add_row(purpose, "none yet", "", "", "")
            continue
        for position, (name, rows) in enumerate(copy["rows"].items()):
            first = (purpose, copy["version"], f"{copy['age_hours']:,.1f}") if position == 0 else ("", "", "")
            table.add_row(*first, name, f"{rows:,}")
    console.print(table)
    console.print(f"privacy requests: {_listed(standing['privacy'].get('requests', standing['privacy']))}")
    console.print(f"erasures: {_listed(standing['privacy'].get('cases', {}))}; {standing['certificates']} certificates")
    console.print(_notices_line(standing["notices"]))
    console.print(f"fraud flags in the app: {_listed(standing['flags_in_the_app'])}")
    if standing["replication"] is not None:
        console.print(f"replication of the app database: {_listed(standing['replication'])}")


def _print_last_run(console: Any, last: Mapping[str, Any] | None) -> None:
    if last is None:
        console.print("last run: none yet")
        return
    ended = "complete" if last["is_complete"] else f"not complete: {', '.join(last['failed']) or 'interrupted'}"
    console.print(f"last run: {last['started_at']}, {last['seconds']:.0f} s, {ended}")
    for word in ("read", "stored"):
        for part, tables in last[word].items():
            some = {name: count for name, count in tables.items() if count}
            console.print(f"  {word} {part}: {sum(some.values()):,} rows in {len(some)} tables")
    for warning in last["warnings"]:
        console.print(f"  [yellow]warning[/yellow] {warning}")


def _notices_line(notices: Mapping[str, Any]) -> str:
    if "busy" in notices:
        return f"notices to recipients: {notices['busy']}"
    if not notices["waiting"]:
        return "notices to recipients: none waits"
    late = f"; [red]{notices['overdue']} overdue[/red]" if notices["overdue"] else ""
    return f"notices to recipients: {notices['waiting']} wait, the oldest for {notices['oldest_days']} days{late}"


def _listed(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in counts.items()) or "none"
