"""Event files in a folder or an object store: each is found once, however many there are and however late it comes."""

import gzip
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from ingestion.event_store import LOOK_BACK_DAYS, OLDER_FOLDERS_A_PASS, S3Access, open_store, recent_mark
from ingestion.events import EventsPull, pull_events
from ingestion.landing import open_landing
from ingestion.quarantine import Quarantine
from storage import LeiiError, Workspace
from tests.ingestion.event_lines import WANTED, as_line, event, landed_events, write_file
from tests.ingestion.s3_server import S3Server, running_s3

NEWEST = date(2026, 11, 15)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server, request: pytest.FixtureRequest) -> str:
    """A bucket of the test's own."""
    name = f"events-{abs(hash(request.node.name)) % 10**9}"
    s3.files().create_dir(name)
    return name


def put(s3: S3Server, bucket: str, *messages: str, name: str = "a", days_ago: int = 0) -> None:
    lines = b"".join(as_line(event(message)) + b"\n" for message in messages)
    s3.put(f"{bucket}/in/dt={NEWEST - timedelta(days=days_ago)}/{name}.jsonl.gz", gzip.compress(lines))


def pull(workspace: Workspace, root: str, s3: S3Server | None = None) -> EventsPull:
    with open_landing(workspace) as landing:
        return pull_events(workspace, landing, root=root, wanted=WANTED, s3=s3.access if s3 else None)


def message_ids(workspace: Workspace) -> list[str]:
    return [row["message_id"] for row in landed_events(workspace)]


@pytest.mark.slow
def test_events_of_an_object_store_come_once_and_a_changed_object_again(
    workspace: Workspace, s3: S3Server, bucket: str
) -> None:
    put(s3, bucket, "m1", "m2")
    put(s3, bucket, "m3", days_ago=40)
    root = f"s3://{bucket}/in"
    assert pull(workspace, root, s3).landed == 3
    assert pull(workspace, root, s3) == EventsPull()
    put(s3, bucket, "m1", "m2", "m4")
    put(s3, bucket, "m1", "m2", name="the-same-under-another-name")
    assert pull(workspace, root + "/", s3) == EventsPull(files=2, lines=5, landed=3, duplicates=2)
    assert sorted(set(message_ids(workspace))) == ["m1", "m2", "m3", "m4"]


@pytest.mark.slow
def test_a_pass_lists_the_newest_days_and_a_few_older_ones_however_many_there_are(
    workspace: Workspace, s3: S3Server, bucket: str
) -> None:
    for days_ago in range(60):
        put(s3, bucket, f"day-{days_ago}", days_ago=days_ago)
    root = f"s3://{bucket}/in"
    before = s3.lists()
    assert pull(workspace, root, s3).files == 60
    assert s3.lists() - before == 1 + 60
    before = s3.lists()
    assert pull(workspace, root, s3) == EventsPull()
    assert s3.lists() - before == 1 + (LOOK_BACK_DAYS + 1) + OLDER_FOLDERS_A_PASS


@pytest.mark.slow
def test_a_store_that_refuses_is_a_clear_error_without_the_key(workspace: Workspace, s3: S3Server) -> None:
    with pytest.raises(LeiiError, match="no such bucket or folder") as refused:
        pull(workspace, "s3://no-such-bucket/in", s3)
    assert "planted" not in str(refused.value)
    assert "planted" not in repr(S3Access(access_key_id="key", secret_access_key="planted"))


def test_a_file_later_than_the_look_back_is_found_when_its_folders_turn_comes(
    workspace: Workspace, tmp_path: Path
) -> None:
    root = tmp_path / "events"
    for days_ago in range(40):
        write_file(root, [event(f"day-{days_ago}")], day=str(NEWEST - timedelta(days=days_ago)))
    assert pull(workspace, str(root)).files == 40
    for days_ago in (3, 20, 39):
        write_file(root, [event(f"late-{days_ago}")], name="late", day=str(NEWEST - timedelta(days=days_ago)))
    write_file(root, [event("other-day")], day="2020-01-01")
    found = [pull(workspace, str(root)).landed for _ in range(1 + 25 // OLDER_FOLDERS_A_PASS + 1)]
    assert sum(found) == 4
    assert found[0] >= 2, "a day that was never listed, and one in the look-back, are found at once"
    assert {"late-3", "late-20", "late-39", "other-day"} <= set(message_ids(workspace))


def test_a_folder_with_a_wrong_clock_does_not_move_the_look_back(workspace: Workspace, tmp_path: Path) -> None:
    root = tmp_path / "events"
    for day in (str(NEWEST), "2099-01-01", "2026-99-99"):
        write_file(root, [event(f"m-{day}")], day=day)
    assert pull(workspace, str(root)).files == 2
    for day in (str(NEWEST), "2099-01-01"):
        write_file(root, [event(f"late-{day}")], day=day, name="late")
    assert pull(workspace, str(root)).files == 2


def test_a_file_that_cannot_be_read_is_said_and_tried_again(workspace: Workspace, tmp_path: Path) -> None:
    root = tmp_path / "events"
    write_file(root, [event("m1")])
    old = write_file(root, [event("m2")], day="2026-01-01")
    content = old.read_bytes()
    old.unlink()
    old.symlink_to("/proc/self/mem")  # a regular file that opens, and whose first bytes nobody may read, not even root
    assert pull(workspace, str(root)) == EventsPull(files=1, lines=1, landed=1, quarantined=1)
    (row,) = Quarantine(workspace).list().to_pylist()
    assert (row["position"], row["reason_code"]) == ("dt=2026-01-01/a.jsonl.gz", "unreadable_file")
    old.unlink()
    old.write_bytes(content)
    assert pull(workspace, str(root)).landed == 1


def test_the_mark_of_the_newest_files_changes_when_one_comes_or_grows(workspace: Workspace, tmp_path: Path) -> None:
    root = tmp_path / "events"
    path = write_file(root, [event("m1")])
    marks = [recent_mark(open_store(str(root)), workspace.now)]
    marks.append(recent_mark(open_store(str(root)), workspace.now))
    path.write_bytes(path.read_bytes() * 2)
    marks.append(recent_mark(open_store(str(root)), workspace.now))
    write_file(root, [event("m2")], day="2026-11-12")
    marks.append(recent_mark(open_store(str(root)), workspace.now))
    assert marks[0] == marks[1]
    assert len(set(marks)) == 3
