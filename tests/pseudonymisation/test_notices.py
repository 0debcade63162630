"""Recipients are told of an erasure or a correction: once each, by the name they know the person by, and then nothing stays."""

import json
import shutil
import stat
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pseudonymisation.access.requests import RightsRequest
from pseudonymisation.disclosure_register import register_of_disclosures
from pseudonymisation.erasure import prepare_erasures
from pseudonymisation.erasure.certificate import public_key_file, summary_of, verify_certificate
from pseudonymisation.erasure.run import NO_NOTICES
from pseudonymisation.notices import making
from pseudonymisation.notices.handing_over import confirm_hand_over, tidy_notices, write_hand_over
from pseudonymisation.notices.making import make_correction_notices, make_erasure_notices
from pseudonymisation.notices.store import Waiting, open_notices, waiting_notices
from pseudonymisation.scan import identifiers_of, scan_home
from pseudonymisation.vault import open_vault
from storage import LeiiError
from storage.contents import why_it_may_name_the_erased
from tests.pseudonymisation.conftest import NOON, account, account_id, booking
from tests.pseudonymisation.erasure.conftest import Town, certificate_files, days_before_noon, postgres, town

__all__ = ["postgres", "town"]

ONE = {
    "stripe": {"customer": ["cus_one"], "account": ["acct_one"]},
    "klarna": {"payment": ["pi_klarna"]},
    "insurer": {"claim": ["17"], "claim_as_customer": ["17"], "claim_as_provider": ["18"]},
    "device_identification": {"device": ["device-own"]},
    "app_processors": {"account": [account_id(1)]},
}
NAMES = ["cus_one", "acct_one", "pi_klarna", "device-own", account_id(1)]


@pytest.fixture
def known(town: Town) -> Town:
    """One person whom every recipient but Vipps knows; a second who shares a device with them and has one of his own."""
    town.put("account", account(1, stripe_customer_id="cus_one", is_provider=True), account(2))
    profile = {"account_id": account_id(1), "display_name": "Ett", "stripe_account_id": "acct_one", "skills": []}
    town.put("provider_profile", {**profile, "published_at": days_before_noon(200), "updated_at": NOON})
    checkout = {"klarna": booking(7, 1, 2), "vipps": booking(8, 2, 1)}
    town.put(
        "booking",
        *({**row, "payment_method": way, "stripe_payment_intent_id": f"pi_{way}"} for way, row in checkout.items()),
    )
    claim = {"filed_at": days_before_noon(90), "status": "settled", "updated_at": NOON}
    claims = [(17, 7, 1), (18, 8, 2)]
    town.put(
        "insurance_claim",
        *({"claim_id": c, "booking_id": b, "claimant_id": account_id(n), **claim} for c, b, n in claims),
    )
    logins = [(0, 1, "device-shared"), (1, 2, "device-shared"), (2, 1, "device-own")]
    login = {"success": True}
    town.put("login", *(
        {"login_id": n, "account_id": account_id(who), "device_id": device, "at": days_before_noon(100 - n), **login}
        for n, who, device in logins
    ))  # fmt: skip
    town.market.load()
    return town


def stored(town: Town, sql: str) -> list[tuple[Any, ...]]:
    with town.market.workspace.connect() as con, open_notices(con, town.market.workspace):
        return con.execute(sql).fetchall()


def waiting(town: Town) -> list[Waiting]:
    workspace = town.market.workspace
    with workspace.connect() as con, open_vault(con, workspace), open_notices(con, workspace):
        return waiting_notices(con, workspace.now)


def places(town: Town, *values: str) -> set[str]:
    """The files in which any of these stands."""
    return {finding.file for finding in scan_home(town.market.workspace, identifiers_of(values)).findings}


def handed_over(town: Town, recipient: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        write_hand_over(town.market.workspace, town.market.policy, recipient).path.read_text()
    )
    return content


def correction(town: Town, number: int, request: int = 900) -> int:
    asked = RightsRequest(
        privacy_request_id=request,
        account_id=account_id(number),
        kind="rectification",
        requested_at=NOON,
        identity_verified=True,
        withdrawn=False,
    )
    return make_correction_notices(town.market.workspace, town.market.policy, town.dsn, asked)


def test_the_register_says_who_knows_how_many_and_since_when_without_an_identifier(known: Town) -> None:
    found = {one.recipient: (one.people, one.since) for one in register_of_disclosures(known.market.workspace)}
    assert found == {
        "stripe": (1, date(2026, 1, 5)),
        "klarna": (1, date(2026, 5, 30)),
        "vipps": (1, date(2026, 5, 30)),
        "insurer": (2, days_before_noon(90).date()),
        "device_identification": (2, days_before_noon(100).date()),
        "app_processors": (2, date(2026, 1, 5)),
    }
    assert places(known, *NAMES) == set()
    known.market.land("account", account(1, stripe_customer_id="cus_one", is_provider=True))
    known.market.load()
    assert {one.recipient: (one.people, one.since) for one in register_of_disclosures(known.market.workspace)} == found


def the_certificate_names_who_is_told(known: Town) -> None:
    [path] = certificate_files(known.market.workspace.home.root)
    assert verify_certificate(path, public_key_file(known.market.workspace)).problems == ()
    content = json.loads(path.read_text())["certificate"]
    assert {one["recipient"]: one["told"] for one in content["recipients"]} == dict.fromkeys(ONE, "waiting")
    assert {one["recipient"] for one in content["recipients_not_told"]} == {
        "other_party",
        "advertising_pixel",
        "authorities",
    }
    assert "zone of notices" in content["unsent_notices"].replace("\n", " ")
    assert any("Stripe" in line and "waits to be handed over" in line for line in summary_of(path))
    assert not any(name in path.read_text() for name in NAMES)


def test_each_is_told_by_the_name_it_knows_once_the_erasure_is_certified_and_then_nothing_is_left(known: Town) -> None:
    workspace, policy = known.market.workspace, known.market.policy
    known.ask(1)
    known.prepare()
    assert {(one.recipient, one.waiting, one.ready) for one in waiting(known)} == {(name, 1, 0) for name in ONE}
    with pytest.raises(LeiiError, match="nothing is ready"):
        write_hand_over(workspace, policy, "stripe")
    known.publish()
    assert known.finish().blocked == ()
    the_certificate_names_who_is_told(known)
    left = places(known, *NAMES)
    assert {Path(name).parts[0] for name in left} == {"notices"}
    assert all(why_it_may_name_the_erased(name) for name in left)
    for recipient, names in ONE.items():
        written = write_hand_over(workspace, policy, recipient)
        assert stat.S_IMODE(written.path.stat().st_mode) == 0o600
        assert [one["known_as"] for one in json.loads(written.path.read_text())["erased"]["people"]] == [names]
        assert not any(text in written.path.read_text() for text in ("person1@example.no", "Navnesen", account_id(2)))
        assert confirm_hand_over(workspace, written.hand_over_id) == 1
        assert not written.path.exists()
    report = scan_home(workspace, identifiers_of(NAMES))
    assert report.findings == ()
    assert not [one for one in report.uncompacted if one.file.startswith("notices")]
    assert stored(known, "SELECT count(*) FROM notices.content") == [(0,)]
    assert stored(known, "SELECT DISTINCT state, subject_id FROM notices.notice") == [("handed_over", None)]
    assert {one.recipient: one.people for one in register_of_disclosures(workspace)} == {
        "vipps": 1,
        "insurer": 1,
        "device_identification": 1,
        "app_processors": 1,
    }


def test_a_crash_anywhere_while_notices_are_made_leaves_each_once(known: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off before and after each step of the making, the transaction that writes them among these."""
    known.ask(1)
    workspace, policy, dsn = known.market.workspace, known.market.policy, known.dsn
    prepare_erasures(workspace, policy, dsn)

    def cut_off(step: str, *, after: bool) -> None:
        whole = getattr(making, step)

        def cut(*arguments: Any, **named: Any) -> None:
            if after:
                whole(*arguments, **named)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(making, step, cut)
            with pytest.raises(KeyboardInterrupt):
                make_erasure_notices(workspace, policy, dsn)

    steps = ("_find_accounts", "names_of", "_find_names", "_drop_corrections", "_write_erasures")
    for step in steps:
        cut_off(step, after=False)
        assert stored(known, "SELECT count(*) FROM notices.notice") == [(0,)]
        if step != "_write_erasures":
            cut_off(step, after=True)
    cut_off("_write_erasures", after=True)
    make_erasure_notices(workspace, policy, dsn)
    assert stored(known, "SELECT recipient, count(*) FROM notices.notice GROUP BY 1 ORDER BY 1") == [
        (recipient, 1) for recipient in sorted(ONE)
    ]
    names = "SELECT word, value FROM notices.content JOIN notices.notice USING (notice_id) WHERE recipient = 'stripe' ORDER BY 1"
    assert stored(known, names) == [("account", "acct_one"), ("customer", "cus_one")]


def test_nobody_is_forgotten_before_the_recipients_are_known(known: Town) -> None:
    known.ask(1)
    prepare_erasures(known.market.workspace, known.market.policy, known.dsn)
    known.publish()
    result = known.finish()
    assert (result.certificates, result.blocked) == ((), (NO_NOTICES,))
    known.sql("alter table app.insurance_claim rename column claim_id to claim_number")
    try:
        with pytest.raises(LeiiError, match="how insurer knows people cannot be read"):
            known.prepare()
        assert known.finish().certificates == ()
        assert stored(known, "SELECT count(*) FROM notices.notice") == [(0,)]
    finally:
        known.sql("alter table app.insurance_claim rename column claim_number to claim_id")
    assert len(known.erase().certificates) == 1
    assert len(waiting(known)) == len(ONE)


def test_whom_nothing_names_any_more_is_said_on_the_certificate(known: Town) -> None:
    """The account was deleted from the app with everything: the vault alone knows that recipients knew somebody."""
    known.sql(
        "delete from app.insurance_claim; delete from app.booking; delete from app.login; delete from app.provider_profile"
    )
    known.forget_account_in_app(1)
    known.market.land("account", account(2), kind="keys")
    known.market.load()
    known.later(days=40)
    assert len(known.erase().certificates) == 1
    assert waiting(known) == []
    [path] = certificate_files(known.market.workspace.home.root)
    content = json.loads(path.read_text())["certificate"]
    assert {one["recipient"]: one["told"] for one in content["recipients"]} == dict.fromkeys(ONE, "unnamed")
    assert any("could not be told" in line and "Stripe" in line for line in summary_of(path))


def test_who_asked_and_is_gone_from_the_app_is_still_named_by_the_account_id(known: Town) -> None:
    known.ask(1)
    known.sql(
        "delete from app.insurance_claim; delete from app.booking; delete from app.login; delete from app.provider_profile"
    )
    known.forget_account_in_app(1)
    known.later(days=40)
    known.prepare()
    assert [one.recipient for one in waiting(known)] == ["app_processors"]
    assert stored(known, "SELECT word, value FROM notices.content") == [("account", account_id(1))]


def test_a_correction_says_what_the_recipient_was_given_as_it_is_now_and_is_queued_once(known: Town) -> None:
    known.sql("update app.account set full_name = 'Ny Navnesen' where account_id = %s", [account_id(1)])
    assert correction(known, 1) == 4
    assert correction(known, 1) == 0
    told = handed_over(known, "klarna")["corrected"]["people"]
    assert [one["known_as"] for one in told] == [ONE["klarna"]]
    assert told[0]["now"]["account.full_name"] == "Ny Navnesen"
    assert set(told[0]["now"]) == set(known.market.policy.recipients["klarna"].gets)
    assert "device_identification" not in {one.recipient for one in waiting(known)}


def test_an_erasure_takes_the_place_of_a_correction_that_waits_and_of_its_file(known: Town) -> None:
    correction(known, 1)
    correction(known, 2, request=901)
    written = write_hand_over(known.market.workspace, known.market.policy, "app_processors")
    assert written.notices == 2
    known.ask(1)
    known.prepare()
    tidy_notices(known.market.workspace)
    assert not written.path.exists()
    assert ("person1@example.no" in json.dumps(handed_over(known, "app_processors"))) is False
    with pytest.raises(LeiiError, match="waits to be confirmed"):
        confirm_hand_over(known.market.workspace, written.hand_over_id)
    assert stored(known, "SELECT count(*) FROM notices.notice WHERE event = 'correction' AND recipient = 'stripe'") == [
        (0,)
    ]
    assert places(known, "person1@example.no") == set()


def test_nobody_is_told_a_correction_of_somebody_whose_erasure_has_begun(known: Town) -> None:
    """The app still has the row, and may have for long: what is in it must not come back as a notice."""
    known.ask(1)
    known.prepare()
    assert correction(known, 1) == 0
    known.publish()
    assert len(known.finish().certificates) == 1
    assert correction(known, 1) == 0
    assert {one.event for one in waiting(known)} == {"erasure"}
    assert places(known, "person1@example.no") == set()


def test_an_app_that_cannot_be_read_makes_no_correction_and_says_no_value(known: Town) -> None:
    known.sql("alter table app.account rename column phone to telephone")
    try:
        with pytest.raises(LeiiError, match=r"what \w+ was given cannot be read from the app \(UndefinedColumn\)"):
            correction(known, 1)
    finally:
        known.sql("alter table app.account rename column telephone to phone")
    assert waiting(known) == []


def test_a_new_file_replaces_the_one_before_and_an_id_is_confirmed_once(known: Town) -> None:
    correction(known, 1)
    first = write_hand_over(known.market.workspace, known.market.policy, "stripe")
    second = write_hand_over(known.market.workspace, known.market.policy, "stripe")
    assert (first.path.exists(), second.path.exists()) == (False, True)
    for wrong in (first.hand_over_id, "cus_one"):
        with pytest.raises(LeiiError) as refused:
            confirm_hand_over(known.market.workspace, wrong)
        assert "cus_one" not in str(refused.value)
    assert confirm_hand_over(known.market.workspace, second.hand_over_id) == 1
    with pytest.raises(LeiiError, match="waits to be confirmed"):
        confirm_hand_over(known.market.workspace, second.hand_over_id)


def test_a_written_file_deletes_itself_and_the_notice_waits_on_until_it_is_overdue(known: Town) -> None:
    correction(known, 1)
    written = write_hand_over(known.market.workspace, known.market.policy, "stripe")
    assert tidy_notices(known.market.workspace) == 0
    known.later(days=15)
    assert tidy_notices(known.market.workspace) == 1
    assert not written.path.exists()
    assert {one.overdue for one in waiting(known)} == {0}
    known.later(days=15, seconds=1)
    assert {(one.waiting, one.overdue) for one in waiting(known)} == {(1, 1)}
    assert confirm_hand_over(known.market.workspace, written.hand_over_id) == 1


def test_nobody_is_told_of_what_was_never_given_to_them(known: Town) -> None:
    known.sql("update app.account set national_id = '01010112345' where account_id = %s", [account_id(1)])
    correction(known, 1)
    known.ask(1)
    known.prepare()
    assert "tax_authority" not in {one.recipient for one in waiting(known)}
    assert places(known, "01010112345") == set()


def kills_survived(known: Town, folder: Path, step: int) -> int:
    """How many kills while notices were made, handed over and confirmed left each told once and nothing behind."""
    root, unmade = known.market.workspace.home.root, folder / "unmade"
    known.ask(1)
    prepare_erasures(known.market.workspace, known.market.policy, known.dsn)
    shutil.copytree(root, unmade, symlinks=True)
    assert len(known.erase().certificates) == 1
    arguments = (str(unmade), str(root), known.dsn, str(folder), str(step))
    run = subprocess.run(
        [sys.executable, "-m", "tests.pseudonymisation.notices_killed", *arguments],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return int(run.stdout.split()[-1])


def test_killed_at_some_lines_each_recipient_is_told_once_and_nothing_is_left(known: Town, tmp_path: Path) -> None:
    assert kills_survived(known, tmp_path, step=60) >= 4


@pytest.mark.endurance
@pytest.mark.timeout(900)
def test_killed_at_many_lines_each_recipient_is_told_once_and_nothing_is_left(known: Town, tmp_path: Path) -> None:
    assert kills_survived(known, tmp_path, step=7) >= 30
