"""Readers: the newest version, whatever the pipeline does meanwhile, and nothing else."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from publishing.copies import publish_purpose, remove_replaced
from publishing.readers import PublishedReader, open_published, published_version
from storage import KeyRing, KeyRingError, LeiiError, Workspace
from tests.publishing.conftest import in_warehouse, manifest_of

PUBLISHES = 20

READER = """
import sys
from pathlib import Path
from publishing.readers import PublishedReader
from storage import Home
from storage.keyring import load_keyring

home = Home(Path(sys.argv[1]))
reader = PublishedReader(home, load_keyring(str(home.default_keyring_file)).for_readers(["matching"]), "matching")
print("ready", flush=True)
seen = queries = 0
while seen < int(sys.argv[2]):
    table = reader.arrow("SELECT min(n) AS low, max(n) AS high, count(*) AS rows FROM marts.fct")
    row = table.to_pylist()[0]
    assert row["low"] == row["high"], row
    assert row["rows"] == 1000, row
    assert row["low"] >= seen, row
    seen, queries = row["low"], queries + 1
print(queries, flush=True)
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return manifest_of(tmp_path, ("matching", "marts", "fct", "public"))


def publish(workspace: Workspace, manifest: Path, number: int) -> None:
    in_warehouse(workspace, "matching", f"CREATE OR REPLACE TABLE w.marts.fct AS SELECT {number} AS n FROM range(1000)")
    publish_purpose(workspace, "matching", manifest)


def test_a_reader_in_another_process_survives_twenty_publishes(workspace: Workspace, manifest: Path) -> None:
    publish(workspace, manifest, 0)
    command = [sys.executable, "-c", READER, str(workspace.home.root), str(PUBLISHES)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        for number in range(1, PUBLISHES + 1):
            publish(workspace, manifest, number)
        out, err = reader.communicate(timeout=120)
    assert reader.returncode == 0, err
    assert int(out) >= 1


def test_a_reader_notices_a_new_version(workspace: Workspace, manifest: Path) -> None:
    publish(workspace, manifest, 1)
    reader = PublishedReader(workspace.home, workspace.keyring, "matching")
    assert reader.query("SELECT max(n) AS n FROM marts.fct").item() == 1
    publish(workspace, manifest, 2)
    assert reader.query("SELECT max(n) AS n FROM marts.fct WHERE n < ?", [10]).item() == 2
    assert reader.version == published_version(workspace.home, "matching")
    assert reader.pandas("SELECT count(*) AS c FROM marts.fct")["c"].tolist() == [1000]


def test_an_open_connection_keeps_its_version(workspace: Workspace, manifest: Path) -> None:
    publish(workspace, manifest, 1)
    with open_published(workspace.home, workspace.keyring, "matching") as con:
        publish(workspace, manifest, 2)
        assert con.execute("SELECT max(n) FROM marts.fct").fetchone() == (1,)


HOLDER = """
import sys
from pathlib import Path
from publishing.readers import PublishedReader
from storage import Home
from storage.keyring import load_keyring

home = Home(Path(sys.argv[1]))
reader = PublishedReader(home, load_keyring(str(home.default_keyring_file)).for_readers(["matching"]), "matching")
reader.query("SELECT 1")
print("open", flush=True)
if sys.argv[2] == "works":
    reader.query("SELECT max(a.n + b.n) FROM marts.fct AS a, marts.fct AS b, range(2000)")
sys.stdin.readline()
"""


@pytest.mark.parametrize("what_it_does", ["idles", "works"])
def test_a_replaced_version_stays_while_a_reader_has_it_open(
    workspace: Workspace, manifest: Path, what_it_does: str
) -> None:
    publish(workspace, manifest, 1)
    old = published_version(workspace.home, "matching")
    command = [sys.executable, "-c", HOLDER, str(workspace.home.root), what_it_does]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdin is not None
        assert reader.stdout.readline() == "open\n"
        publish(workspace, manifest, 2)
        assert remove_replaced(workspace.home, "matching") == [old]
        assert remove_replaced(workspace.home, "matching", wait_seconds=60) == []
        newest = published_version(workspace.home, "matching")
        assert [path.stem for path in workspace.home.published_folder("matching").glob("2*.duckdb")] == [newest]
        reader.stdin.close()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE marts.mine AS SELECT 1",
        "DELETE FROM marts.fct",
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY marts.fct TO '/tmp/leii-copied-out.csv'",
        "ATTACH '/tmp/leii-other.duckdb'",
        "SET enable_external_access = true",
        "INSTALL spatial",
        "LOAD spatial",
    ],
)
def test_a_reader_can_neither_write_nor_reach_out(workspace: Workspace, manifest: Path, statement: str) -> None:
    publish(workspace, manifest, 1)
    with open_published(workspace.home, workspace.keyring, "matching") as con, pytest.raises(duckdb.Error):
        con.execute(statement)


def test_the_published_key_opens_the_copy_and_nothing_else(workspace: Workspace, manifest: Path) -> None:
    publish(workspace, manifest, 1)
    keyring = workspace.keyring.for_readers(["matching"])
    with open_published(workspace.home, keyring, "matching") as con:
        assert con.execute("SELECT count(*) FROM marts.fct").fetchone() == (1000,)
    for purpose, use in (("matching", "warehouse"), ("matching", "pseudonym"), ("fraud", "published")):
        with pytest.raises(KeyRingError):
            keyring.purpose_key(purpose, use)


def test_another_purposes_key_does_not_open_the_copy(workspace: Workspace, manifest: Path) -> None:
    publish(workspace, manifest, 1)
    with pytest.raises(LeiiError, match="no key"):
        open_published(workspace.home, workspace.keyring.for_readers(["fraud"]), "matching")
    wrong = KeyRing({"published:matching": workspace.keyring.secrets["published:fraud"]})
    with pytest.raises(LeiiError, match="does not open it"):
        open_published(workspace.home, wrong, "matching")


def test_before_the_first_run_a_reader_is_told_to_run(workspace: Workspace) -> None:
    with pytest.raises(LeiiError, match="leii run"):
        open_published(workspace.home, workspace.keyring, "matching")
