"""`kill -9` at random moments of runs with news and erasures, and the next run: the end is as if nothing had happened.

`python -m benchmarks.crashes 100 7` kills a hundred runs; the suite's own test kills a few. What takes up a killed run is
killed as well, up to three times more, before one is let go on to its end.
"""

import random
import shutil
import sys
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.running_world import RunningWorld, running_world
from demo.world.spec import world_spec
from pseudonymisation.coverage.standing import check_files
from pseudonymisation.erasure.certificate import public_key_file, verify_certificate
from pseudonymisation.policy.reading import load_policy
from storage import attached

State = dict[str, Any]

MOST_IN_A_ROW = 4
"""How many runs are killed one after the other before one goes on to its end."""

_WRITTEN_BY_RUNS = ("fraud_flag", "privacy_receipt")


def main(points: str = "100", seed: str = "7") -> None:
    """Print how many of the killed runs were taken up to the very end that a run without a kill has."""
    with running_world(world_spec(seed=int(seed), accounts=150, bookings=600, events=3000), rate_limit=0) as world:
        killed = kill_and_compare(world, int(points), int(seed))
    print(f"{killed} runs killed at random moments; each was taken up to the end that an undisturbed run has")


def kill_and_compare(world: RunningWorld, points: int, seed: int) -> int:
    """Kill that many runs, up to MOST_IN_A_ROW from the same state with two days of news; returns how many were killed.

    Raises AssertionError if a run after a kill ends otherwise than one without.
    """
    world.leii("run")
    world.play_on(2)
    saved = world.folder / "saved"
    shutil.copytree(world.home.root, saved, symlinks=True)
    _keep_app_tables(world)
    seconds = world.leii("run")
    expected = state_of(world)
    assert expected["certificates"] > len(list((saved / "certificates").glob("0*.json"))), "nobody was to be erased"
    moments = random.Random(seed)
    killed = 0
    while killed < points:
        _restore(world, saved)
        pace, kills = seconds, []
        for _ in range(moments.randint(1, min(MOST_IN_A_ROW, points - killed))):
            after = moments.uniform(0.1, 0.98) * pace
            if world.leii_killed_after(after, "run"):
                kills.append(f"{after:.2f}")
        seconds = world.leii("run")  # so that the moments follow the machine's pace
        killed += len(kills)
        found = state_of(world)
        differing = [name for name, value in expected.items() if found[name] != value]
        when = f"killed after {', '.join(kills)} of {pace:.2f} s"
        assert not differing, f"{when}: {', '.join(differing)} differ"
        print(f"  {killed}: {when}: nothing differs", flush=True)
    return killed


def state_of(world: RunningWorld) -> State:
    """What a run leaves, but for what is random in it: pseudonyms of newcomers, ids of certificates, numbers of batches."""
    workspace, policy = world.workspace, load_policy()
    state: State = {}
    with workspace.connect() as con:
        for purpose in policy.purposes:
            for layer, file, key in (
                ("warehouse", world.home.warehouse_file(purpose), workspace.keyring.purpose_key(purpose, "warehouse")),
                ("published", _newest(world, purpose), workspace.keyring.purpose_key(purpose, "published")),
            ):
                with attached(con, file, "looked_at", key, read_only=True):
                    state |= {f"{layer}/{purpose}/{name}": rows for name, rows in _tables(con).items()}
            state[f"versions of {purpose}"] = len(list(world.home.published_folder(purpose).glob("2*.duckdb")))
        with attached(con, world.home.vault_file, "looked_at", workspace.keyring.zone_key("vault"), read_only=True):
            state["people"] = con.execute("SELECT count(*) FROM looked_at.subject").fetchone()
            state["tombstones"] = con.execute("SELECT count(*) FROM looked_at.tombstone").fetchone()
            state["cases"] = con.execute(
                "SELECT state, count(*) FROM looked_at.erasure GROUP BY 1 ORDER BY 1"
            ).fetchall()
        with attached(con, world.home.held_file, "looked_at", workspace.keyring.zone_key("held"), read_only=True):
            state["held"] = con.execute('SELECT count(*) FROM looked_at."row"').fetchone()
        with attached(con, world.home.notices_file, "looked_at", workspace.keyring.zone_key("notices"), read_only=True):
            notices = "SELECT recipient, event, state, count(*) FROM looked_at.notice GROUP BY ALL ORDER BY ALL"
            state["notices"] = con.execute(notices).fetchall()
            state["names in notices"] = con.execute("SELECT count(*) FROM looked_at.content").fetchone()
    certificates = sorted(world.home.certificates.glob("0*.json"))
    state["certificates"] = len(certificates)
    key_file = public_key_file(workspace)
    state["broken certificates"] = [p for one in certificates for p in verify_certificate(one, key_file).problems]
    state["landed batches"] = len(list(world.home.landing.glob("*.parquet")))
    state["unknown files"] = check_files(world.home, policy)
    with psycopg.connect(world.server.admin_dsn) as connection:
        receipts = "select privacy_request_id, state from app.privacy_receipt order by 1"
        state["receipts"] = connection.execute(receipts).fetchall()
        flags = "select account_id, status, score from app.fraud_flag order by 1, 2"
        state["flags"] = connection.execute(flags).fetchall()
    return state


def _tables(con: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Every table's rows without their pseudonyms, sorted."""
    columns = con.execute(
        "SELECT schema_name, table_name, list(column_name ORDER BY column_index) FROM duckdb_columns() "
        "JOIN duckdb_tables() USING (database_name, schema_name, table_name) WHERE database_name = 'looked_at' "
        "AND data_type <> 'UUID' AND column_name NOT IN ('_batch_id', 'flag_id', 'built_at', 'version') "
        "AND table_name NOT LIKE '\\_%' ESCAPE '\\' GROUP BY ALL"
    ).fetchall()
    return {
        f"{schema}.{table}": con.execute(
            f'SELECT {", ".join(chr(34) + name + chr(34) for name in names)} FROM looked_at."{schema}"."{table}" ORDER BY ALL'
        ).fetchall()
        for schema, table, names in columns
    }


def _newest(world: RunningWorld, purpose: str) -> Path:
    return (world.home.published_folder(purpose) / "current.duckdb").resolve()


def _keep_app_tables(world: RunningWorld) -> None:
    with psycopg.connect(world.server.admin_dsn) as connection:
        connection.execute("create schema kept")
        for table in _WRITTEN_BY_RUNS:
            connection.execute(f"create table kept.{table} as table app.{table}")


def _restore(world: RunningWorld, saved: Path) -> None:
    shutil.rmtree(world.home.root)
    shutil.copytree(saved, world.home.root, symlinks=True)
    with psycopg.connect(world.server.admin_dsn) as connection:
        for table in _WRITTEN_BY_RUNS:
            connection.execute(f"truncate app.{table}")
            connection.execute(f"insert into app.{table} table kept.{table}")


if __name__ == "__main__":
    main(*sys.argv[1:])
