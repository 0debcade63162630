import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingestion.event_rules import MAX_LINE_BYTES
from ingestion.events import EventsPull, pull_events
from ingestion.landing import open_landing
from ingestion.quarantine import Quarantine
from storage import LeiiError, Workspace
from tests.ingestion.event_lines import COOKIE, USER, WANTED, context, event, landed_events, write_file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "events"
    folder.mkdir()
    return folder


def pull(workspace: Workspace, root: Path, **options: Any) -> EventsPull:
    with open_landing(workspace) as landing:
        return pull_events(workspace, landing, root=str(root), wanted=WANTED, **options)


def quarantined(workspace: Workspace) -> list[tuple[str, int, str]]:
    rows = Quarantine(workspace).list().to_pylist()
    return sorted((row["position"], row["line"], row["reason_code"]) for row in rows)


def message_ids(workspace: Workspace) -> list[str]:
    return [row["message_id"] for row in landed_events(workspace)]


def test_an_event_lands_with_its_fields_and_what_some_purpose_gets(workspace: Workspace, root: Path) -> None:
    properties = {"note": "Planted", "category": 'Blåbær ✓ \\ " \u0001', "position": 3, "results": ["a", "b"]}
    whole = event("m1", userId=USER.upper(), properties=properties, traits={"email": "planted@example.no"})
    write_file(root, [whole])
    assert pull(workspace, root) == EventsPull(files=1, lines=1, landed=1)
    (row,) = landed_events(workspace)
    payload = json.loads(row.pop("payload"))
    assert payload == {
        **{name: whole[name] for name in ("messageId", "type", "event", "anonymousId", "receivedAt")},
        "userId": USER,
        "properties": {name: value for name, value in properties.items() if name != "note"},
        "context": {"ip": "10.1.2.0", "device": {"id": "device-1"}},
    }
    assert row == {
        "message_id": "m1",
        "received_at": datetime(2026, 11, 10, 10, 0, 1, 123000, tzinfo=UTC),
        "type": "track",
        "event": "Search Performed",
        "user_id": USER,
        "anonymous_id": COOKIE,
    }


def test_every_type_of_event_lands(workspace: Workspace, root: Path) -> None:
    write_file(
        root,
        [
            event("m1"),
            event("m2", type="page", event=None),
            event("m3", type="screen", event="Home"),
            event("m4", type="identify", event=None, traits={"email": "kari@example.no"}, properties=None),
            {key: value for key, value in event("m5", type="alias").items() if key not in ("event", "properties")},
            event("m6", userId=None),
            {key: value for key, value in event("m7").items() if key != "anonymousId"},
        ],
    )
    assert pull(workspace, root).landed == 7


BROKEN: list[tuple[str, dict[str, Any] | str | bytes]] = [
    ("not_json", json.dumps(event("cut"))[:120]),
    ("not_json", "<html><body>502 Bad Gateway</body></html>"),
    ("not_json", b'{"messageId":"raw control \x01 character"}'),
    ("not_json", b"\x00\x07\x1b" + json.dumps(event("x")).encode()),
    ("not_utf8", b'{"messageId":"\xff\xfe"}'),
    ("not_an_object", "[1, 2, 3]"),
    ("not_an_object", '"text"'),
    ("too_long", event("x", properties={"text": "la " * 66_000})),
    ("double_names", json.dumps(event("x"))[:-1] + ', "userId": null}'),
    ("double_names", json.dumps(event("x")).replace('"analytics": true', '"analytics": true, "analytics": false')),
    ("message_id", {key: value for key, value in event("x").items() if key != "messageId"}),
    ("message_id", event("x", messageId=17)),
    ("message_id", event("")),
    ("message_id", event("a\u0000b")),
    ("message_id", event("x" * 257)),
    ("type", event("x", type="group")),
    ("type", event("x", type=None)),
    ("type", event("x", type=["track"])),
    ("event", event("x", event=None)),
    ("event", event("x", event={"name": "Search"})),
    ("event", event("x", event="Search\nPerformed")),
    ("received_at", event("x", receivedAt="yesterday, about noon")),
    ("received_at", event("x", receivedAt=1_789_000_000)),
    ("received_at", event("x", receivedAt="2026-11-10T10:00:00")),
    ("received_at", event("x", receivedAt="2026-13-45T10:00:00Z")),
    ("received_at", event("x", receivedAt=None)),
    ("received_at_absurd", event("x", receivedAt="2099-01-01T00:00:00Z")),
    ("received_at_absurd", event("x", receivedAt="1970-01-01T00:00:00Z")),
    ("user_id", event("x", userId="not-a-uuid")),
    ("user_id", event("x", userId=USER.replace("-", ""))),
    ("user_id", event("x", userId=12)),
    ("anonymous_id", event("x", anonymousId={"id": 1})),
    ("anonymous_id", event("x", anonymousId="a\u001bb")),
    ("no_id", event("x", userId=None, anonymousId=None)),
    ("no_id", event("x", userId="", anonymousId="")),
    ("event", event("x", event="")),
    ("structure", event("x", properties=[{"a": 1}])),
    ("structure", event("x", traits=17)),
    ("structure", event("x", context="none")),
]


def test_every_kind_of_broken_line_goes_to_quarantine_with_file_line_and_reason(
    workspace: Workspace, root: Path
) -> None:
    lines: list[Any] = [event("first")]
    for _, line in BROKEN:
        lines += [line, event(f"good-{len(lines)}")]
    write_file(root, lines)
    done = pull(workspace, root)
    assert quarantined(workspace) == [
        ("dt=2026-11-10/a.jsonl.gz", 2 + 2 * number, code) for number, (code, _) in enumerate(BROKEN)
    ]
    assert done == EventsPull(files=1, lines=len(lines), landed=len(BROKEN) + 1, quarantined=len(BROKEN))


def test_the_same_name_in_two_objects_of_an_event_is_no_double(workspace: Workspace, root: Path) -> None:
    names_from_above = {"userId": "a", "context": 1, "analytics": False}
    good = event("m1", properties=names_from_above, context=context(analytics=True, marketing=True))
    twice = json.dumps(good | {"messageId": "m2"}).replace('"context": 1', '"context": 1, "context": 2')
    write_file(root, [good, twice])
    pull(workspace, root)
    assert message_ids(workspace) == ["m1"]
    assert quarantined(workspace) == [("dt=2026-11-10/a.jsonl.gz", 2, "double_names")]


def test_what_is_quarantined_is_the_line_and_the_reason_does_not_repeat_it(workspace: Workspace, root: Path) -> None:
    write_file(root, [event("x", userId="Kari Planted Nordmann")])
    pull(workspace, root)
    (row,) = Quarantine(workspace).list(with_content=True).to_pylist()
    assert b"Kari Planted Nordmann" in row["content"]
    assert "Kari" not in row["reason"]
    assert row["reason"] == "userId is neither null nor a UUID"


def test_blank_lines_are_nothing(workspace: Workspace, root: Path) -> None:
    write_file(root, [event("m1"), "", "   ", "\r", event("m2")])
    assert pull(workspace, root) == EventsPull(files=1, lines=5, landed=2)


@pytest.mark.parametrize("ends", ["\n", "\r\n", ""])
def test_the_last_line_counts_with_or_without_its_end(workspace: Workspace, root: Path, ends: str) -> None:
    path = write_file(root, [])
    path.write_bytes(gzip.compress((json.dumps(event("m1")) + "\r\n" + json.dumps(event("m2")) + ends).encode()))
    assert pull(workspace, root).landed == 2


def test_a_line_without_end_is_passed_over_and_the_next_is_read(workspace: Workspace, root: Path) -> None:
    write_file(root, [event("m1"), b"x" * 20_000_000, event("m2"), b"y" * (MAX_LINE_BYTES + 1), event("m3")])
    assert pull(workspace, root) == EventsPull(files=1, lines=5, landed=3, quarantined=2)
    assert [(line, code) for _, line, code in quarantined(workspace)] == [(2, "too_long"), (4, "too_long")]


def test_deeply_nested_json_does_no_harm(workspace: Workspace, root: Path) -> None:
    nested = "[" * 30_000 + "]" * 30_000
    line = json.dumps(event("m1", context=context(analytics=True, marketing=False)))
    write_file(root, [line.replace('"cleaning"', nested), event("m2")])
    done = pull(workspace, root)
    assert done.landed + done.quarantined == 2
    assert "m2" in message_ids(workspace)


def test_a_truncated_file_gives_its_good_lines_and_a_report_of_the_cut(workspace: Workspace, root: Path) -> None:
    path = write_file(root, [event(f"m{number:05}", properties={"n": number**9}) for number in range(5_000)])
    path.write_bytes(path.read_bytes()[:-2_000])
    done = pull(workspace, root)
    assert 3_000 < done.landed < 5_000
    assert done.quarantined == 1
    assert quarantined(workspace) == [("dt=2026-11-10/a.jsonl.gz", done.landed + 1, "truncated_file")]
    assert message_ids(workspace) == [f"m{number:05}" for number in range(done.landed)]


def test_a_truncated_file_that_is_delivered_whole_later_is_read_again(workspace: Workspace, root: Path) -> None:
    path = write_file(root, [event(f"m{number:05}") for number in range(500)])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    pull(workspace, root)
    path.write_bytes(whole)
    assert pull(workspace, root).landed == 500


def test_a_damaged_file_gives_the_lines_before_the_damage(workspace: Workspace, root: Path) -> None:
    path = write_file(root, [event(f"m{number:05}", properties={"n": number**9}) for number in range(5_000)])
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = b"\xff" * 40
    path.write_bytes(bytes(content))
    done = pull(workspace, root)
    codes = {code for _, _, code in quarantined(workspace)}
    assert codes & {"damaged_file", "truncated_file"}
    assert done.landed > 1_500
    assert message_ids(workspace)[:1_500] == [f"m{number:05}" for number in range(1_500)]


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "empty_file"), (b"plain text, not gzip", "damaged_file"), (gzip.compress(b"", mtime=0), None)],
    ids=["empty", "plain", "nothing in it"],
)
def test_a_file_that_is_no_gzip_stops_nothing(
    workspace: Workspace, root: Path, content: bytes, code: str | None
) -> None:
    write_file(root, [], name="a").write_bytes(content)
    write_file(root, [event("m1")], name="b")
    done = pull(workspace, root)
    assert (done.files, done.landed) == (2, 1)
    assert [found for _, _, found in quarantined(workspace)] == ([code] if code else [])


def test_several_gzip_members_in_one_file_are_all_read(workspace: Workspace, root: Path) -> None:
    path = write_file(root, [event("m1")])
    path.write_bytes(path.read_bytes() + write_file(root, [event("m2")], name="b").read_bytes() + b"\0" * 512)
    assert pull(workspace, root) == EventsPull(files=2, lines=3, landed=2, duplicates=1)


def test_a_file_is_read_once_and_again_when_it_has_changed(workspace: Workspace, root: Path) -> None:
    write_file(root, [event("m1")])
    assert pull(workspace, root).files == 1
    assert pull(workspace, root) == EventsPull()
    write_file(root, [event("m1"), event("m2"), event("m3")])
    assert pull(workspace, root) == EventsPull(files=1, lines=3, landed=3)


def test_a_late_file_in_an_old_folder_is_found(workspace: Workspace, root: Path) -> None:
    write_file(root, [event("m1")], day="2026-11-10")
    pull(workspace, root)
    write_file(root, [event("m2", receivedAt="2026-11-09T23:00:00Z")], day="2026-11-03", name="late")
    assert pull(workspace, root).landed == 1


def test_doubles_in_a_pass_are_dropped_over_lines_files_and_chunks(workspace: Workspace, root: Path) -> None:
    write_file(root, [event("m1"), event("m2"), event("m1")], name="a")
    write_file(root, [event("m2"), event("m3")], name="a-redelivered")
    assert pull(workspace, root, chunk_lines=1) == EventsPull(files=2, lines=5, landed=3, duplicates=2)
    assert message_ids(workspace) == ["m1", "m2", "m3"]


def test_of_doubles_the_first_is_kept(workspace: Workspace, root: Path) -> None:
    write_file(root, [event("m1", event=f"Number {number}") for number in range(50)])
    pull(workspace, root)
    assert [row["event"] for row in landed_events(workspace)] == ["Number 0"]


@pytest.mark.parametrize("chunk_lines", [1, 7, 100, 100_000])
def test_the_size_of_a_chunk_changes_nothing_but_the_batches(
    workspace: Workspace, root: Path, chunk_lines: int
) -> None:
    for name in ("a", "b", "c"):
        write_file(root, [event(f"{name}{number}") if number % 9 else "broken" for number in range(30)], name=name)
    done = pull(workspace, root, chunk_lines=chunk_lines)
    assert done == EventsPull(files=3, lines=90, landed=78, quarantined=12)
    assert len(message_ids(workspace)) == 78
    assert quarantined(workspace) == [
        (f"dt=2026-11-10/{name}.jsonl.gz", line, "not_json") for name in ("a", "b", "c") for line in (1, 10, 19, 28)
    ]
    assert pull(workspace, root) == EventsPull()


def test_other_files_are_left_alone(workspace: Workspace, root: Path) -> None:
    write_file(root, [event("m1")])
    for name in ("readme.txt", "dt=2026-11-10/.b.jsonl.gz", "dt=2026-11-10/c.json", "dt=soon/d.jsonl.gz"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"not for us")
    assert pull(workspace, root) == EventsPull(files=1, lines=1, landed=1)


def test_the_register_does_not_show_the_names_of_files(workspace: Workspace, root: Path) -> None:
    write_file(root, [event("m1")], name="planted-name")
    pull(workspace, root)
    content = b"".join(path.read_bytes() for path in workspace.home.root.rglob("*") if path.is_file())
    assert b"planted-name" not in content


def test_a_root_that_is_not_there_is_refused(workspace: Workspace, root: Path) -> None:
    with pytest.raises(LeiiError, match="LEII_EVENTS_ROOT is not a folder"):
        pull(workspace, root / "missing")
    with open_landing(workspace) as landing, pytest.raises(LeiiError, match="cannot be read"):
        pull_events(workspace, landing, root="nosuchstore://bucket/events")


def test_nothing_raw_is_left_outside_the_encrypted_files(workspace: Workspace, root: Path) -> None:
    write_file(root, [event(f"planted-{number}") for number in range(50)] + ["planted broken line"])
    pull(workspace, root)
    content = b"".join(path.read_bytes() for path in workspace.home.root.rglob("*") if path.is_file())
    assert b"planted" not in content
    assert COOKIE.encode() not in content
