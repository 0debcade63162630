"""`leii notices` and `leii status` on a queue, and the cookie that `leii erase --cookie` reads."""

import io
import json
import uuid
from datetime import timedelta
from pathlib import Path

import pytest

from orchestration.cli import main
from orchestration.notices_page import LONGEST_COOKIE, read_cookie
from pseudonymisation.notices.store import open_notices
from pseudonymisation.vault import open_vault
from storage import LeiiError, Workspace

KNOWN_AS = "cus_only_stripe_knows"


@pytest.fixture
def queue(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Two corrections wait for Stripe, one of them for 31 days; one erasure that is not certified waits as well."""
    case = uuid.uuid4()
    with workspace.connect() as con, open_vault(con, workspace), open_notices(con, workspace):
        con.execute(
            "INSERT INTO vault.erasure VALUES (?, 'swept', NULL, NULL, NULL, ?, ?)",
            [case, workspace.now, workspace.now],
        )
        for event, case_id, days in (("correction", None, 31), ("correction", None, 1), ("erasure", case, 2)):
            notice = uuid.uuid4()
            con.execute(
                "INSERT INTO notices.notice VALUES (?, 'stripe', ?, 'waiting', ?, NULL, NULL, NULL, ?, NULL, NULL)",
                [notice, event, case_id, workspace.now - timedelta(days=days)],
            )
            con.execute("INSERT INTO notices.content VALUES (?, 'known_as', 'customer', ?)", [notice, KNOWN_AS])
    monkeypatch.setenv("LEII_HOME", str(workspace.home.root))
    monkeypatch.setenv("LEII_NOW", workspace.now.isoformat())
    for name in ("LEII_KEYRING", "LEII_APP_DB_DSN"):
        monkeypatch.delenv(name, raising=False)
    return workspace


def leii(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command says; it must end well."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    captured = capsys.readouterr()
    assert ended.value.code in (0, None), captured.err
    return captured.out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code not in (0, None)
    return capsys.readouterr().err


def test_the_queue_is_listed_handed_over_and_confirmed(queue: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    listed = leii(capsys, "notices")
    assert [line.split()[:5] for line in listed.splitlines()[1:3]] == [
        ["stripe", "correction", "2", "2", "1"],
        ["stripe", "erasure", "1", "0", "0"],
    ]
    written = json.loads(leii(capsys, "notices", "--hand-over", "stripe", "--json"))
    assert written["notices"] == 2
    assert KNOWN_AS in Path(written["path"]).read_text()
    shown = leii(capsys, "notices") + leii(capsys, "notices", "--json") + leii(capsys, "notices", "--register")
    assert written["hand_over_id"] in shown
    assert KNOWN_AS not in listed + shown
    assert json.loads(leii(capsys, "notices", "--handed-over", written["hand_over_id"], "--json")) == {"confirmed": 2}
    assert not Path(written["path"]).exists()
    assert [one["event"] for one in json.loads(leii(capsys, "notices", "--json"))] == ["erasure"]
    assert "no hand-over" in refused(capsys, "notices", "--handed-over", written["hand_over_id"])
    assert "no such recipient" in refused(capsys, "notices", "--hand-over", "nobody")
    assert "give one of" in refused(capsys, "notices", "--register", "--hand-over", "stripe")


def test_the_status_says_how_many_wait_and_how_old_the_oldest_is(
    queue: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "notices to recipients: 3 wait, the oldest for 31 days; 1 overdue" in leii(capsys, "status")
    told = json.loads(leii(capsys, "status", "--json"))["notices"]
    assert (told["waiting"], told["overdue"], told["oldest_days"]) == (3, 1, 31)


def test_the_register_names_every_recipient_with_its_basis(
    queue: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    register = {one["recipient"]: one for one in json.loads(leii(capsys, "notices", "--register", "--json"))}
    assert register["stripe"]["known_as"] == {
        "customer": "account.stripe_customer_id",
        "account": "provider_profile.stripe_account_id",
    }
    assert register["tax_authority"]["told_of"] == []
    assert all(one["lawful_basis"].startswith("GDPR art. 6(1)") for one in register.values())


@pytest.mark.parametrize("given", ["", "\n \n", "one\ntwo\n", "x" * (LONGEST_COOKIE + 1)])
def test_one_cookie_is_read_from_standard_input_or_nothing_is_done(given: str) -> None:
    with pytest.raises(LeiiError, match="one line: nothing was done") as told:
        read_cookie(io.StringIO(given))
    assert not given.strip() or given.strip() not in str(told.value)


def test_a_cookie_is_never_taken_from_the_command_line(queue: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert read_cookie(io.StringIO("a-cookie\r\n")) == "a-cookie"
    assert "unexpected extra argument" in refused(capsys, "erase", "--cookie", "a-cookie")
