"""An erasure from request to certificate, against a real PostgreSQL and real files."""

import json
from datetime import date

import pytest

from ingestion.quarantine import Quarantine, QuarantinedRow
from pseudonymisation.erasure.certificate import public_key_file, verify_certificate
from pseudonymisation.loading import open_purpose
from pseudonymisation.vault import note_purge_due, open_vault
from tests.pseudonymisation.conftest import account, account_id, booking
from tests.pseudonymisation.erasure.conftest import Town, certificate_files, days_before_noon

RECENT = {"completed_at": days_before_noon(3), "paid_at": days_before_noon(2)}


def test_somebody_without_a_booking_is_gone_at_once_and_gets_a_certificate(town: Town) -> None:
    town.people(1, 2)
    request = town.ask(1)
    town.market.load()
    result = town.erase()
    assert len(result.certificates) == 1
    assert result.blocked == ()
    assert len(town.market.rows("matching", "app_db__account")) == 1
    receipt = town.receipt(request)
    assert (receipt.state, receipt.certificate_id) == ("done", result.certificates[0])


def test_a_booking_stays_for_the_other_party_without_a_trace(town: Town) -> None:
    town.people(1, 2)
    town.book(7, 1, 2)
    town.market.load()
    provider = town.market.rows("matching", "app_db__booking")[0]["provider_id"]
    town.ask(1)
    town.erase()
    row = town.market.rows("matching", "app_db__booking")[0]
    assert (row["customer_id"], row["provider_id"], row["price_nok"]) == (None, provider, 1230)


def test_a_booking_between_two_erased_people_goes_in_either_order(town: Town) -> None:
    town.people(1, 2, 3)
    town.book(7, 1, 2)
    town.market.load()
    town.ask(2)
    town.erase()
    assert len(town.market.rows("matching", "app_db__booking")) == 1
    town.ask(1)
    town.erase()
    assert town.market.rows("matching", "app_db__booking") == []


def test_nobody_comes_back_by_a_changed_row_or_a_replay(town: Town) -> None:
    town.people(1, 2)
    town.book(7, 1, 2)
    town.market.load()
    town.ask(1)
    town.erase()
    before = town.everything()
    town.market.land("account", account(1), account(2))
    town.market.land("booking", booking(7, 1, 2))
    loads = town.market.load()
    assert loads["matching"].tables["app_db__account"].refused_erased == 1
    assert len(town.market.rows("matching", "app_db__account")) == 1
    assert [row["customer_id"] for row in town.market.rows("matching", "app_db__booking")] == [None]
    assert before.count("UUID(") == town.everything().count("UUID(")


def test_accounting_rows_are_held_apart_until_five_years_after_the_year(town: Town) -> None:
    town.people(1, 2)
    town.book(7, 1, 2)
    town.market.load()
    request = town.ask(1)
    result = town.erase()
    content = json.loads(certificate_files(town.market.workspace.home.root)[0].read_text())["certificate"]
    assert content["held"] == [
        {"purpose": "accounting", "table": "app_db__booking", "rows": 1, "statute": "bokføringsloven § 13"}
    ]
    assert content["held_until"] == date(2031, 12, 31).isoformat()
    assert "31.12.2031" in town.receipt(request).explanation
    assert town.market.rows("accounting", "app_db__booking")[0]["customer_id"] is None
    assert result.blocked == ()


@pytest.mark.parametrize(
    ("columns", "claim", "state"),
    [
        (RECENT, None, "waiting"),
        ({"status": "booked", "completed_at": None, "paid_at": None}, None, "held"),
        ({"paid_at": None}, None, "held"),
        ({}, "filed", "held"),
        ({}, "settled", "done"),
    ],
)
def test_the_receipt_says_why_an_erasure_waits(
    town: Town, columns: dict[str, object], claim: str | None, state: str
) -> None:
    town.people(1, 2)
    town.book(7, 1, 2, **columns)
    if claim:
        row = {
            "claim_id": 1,
            "booking_id": 7,
            "claimant_id": account_id(2),
            "filed_at": days_before_noon(90),
            "status": claim,
        }
        town.put("insurance_claim", {**row, "updated_at": days_before_noon(90)})
    town.market.load()
    request = town.ask(1)
    town.erase()
    receipt = town.receipt(request)
    assert receipt.state == state
    assert account_id(2) not in receipt.explanation
    assert len(town.market.rows("matching", "app_db__account")) == (1 if state == "done" else 2)


def test_a_wait_ends_by_itself_thirty_days_after(town: Town) -> None:
    town.people(1, 2)
    town.book(7, 1, 2, **RECENT)
    town.market.load()
    request = town.ask(1)
    town.erase()
    promised = town.receipt(request).eligible_at
    assert promised is not None
    town.later(days=28, hours=1)
    town.erase()
    assert town.receipt(request).state == "done"
    assert promised <= town.market.workspace.now


def test_an_open_dispute_holds_the_erasure(town: Town) -> None:
    town.put("account", account(1, stripe_customer_id="cus_1"), account(2))
    charge = {"id": "ch_1", "object": "charge", "created": 1750000000, "customer": "cus_1", "amount": 100, "paid": True}
    town.market.land_stripe("charge", {**charge, "metadata": {}})
    dispute = {"id": "dp_1", "object": "dispute", "created": 1750000000, "charge": "ch_1", "status": "needs_response"}
    town.market.land_stripe("dispute", dispute)
    town.market.load()
    request = town.ask(1)
    town.erase()
    assert town.receipt(request).state == "held"
    town.market.land_stripe("dispute", {**dispute, "status": "won"})
    town.market.load()
    town.erase()
    assert town.receipt(request).state == "done"


def test_an_unverified_or_withdrawn_request_changes_nothing(town: Town) -> None:
    town.people(1, 2)
    town.market.load()
    unverified, withdrawn = town.ask(1, verified=False), town.ask(2, withdrawn=True)
    before = town.everything()
    assert town.erase().certificates == ()
    assert town.everything() == before
    assert town.receipt(unverified).state == "waiting_for_identity"
    assert town.receipt(withdrawn).state == "refused"


def test_a_second_request_gets_the_first_ones_certificate(town: Town) -> None:
    town.people(1, 2)
    town.market.load()
    first = town.ask(1)
    town.erase()
    second = town.ask(1)
    assert town.erase().certificates == ()
    assert town.receipt(second).certificate_id == town.receipt(first).certificate_id
    assert len(certificate_files(town.market.workspace.home.root)) == 1


def test_an_account_that_vanished_from_the_app_is_erased_like_one_that_asked(town: Town) -> None:
    town.people(1, 2)
    town.market.load()
    town.forget_account_in_app(1)
    town.market.land("account", {"account_id": account_id(2)}, kind="keys")
    town.market.load()
    result = town.erase()
    assert len(result.certificates) == 1
    assert len(town.market.rows("fraud", "app_db__account")) == 1
    assert town.erase().certificates == ()


def test_a_source_that_lost_everybody_erases_only_who_asked(town: Town) -> None:
    town.people(*range(1, 31))
    town.market.load()
    town.market.land("account", {"account_id": account_id(1)}, kind="keys")
    town.market.load()
    town.ask(2)
    prepared = town.prepare()
    assert prepared.swept == 1
    assert [warning for warning in prepared.warnings if "29 of 30 accounts are gone" in warning]
    town.publish()
    assert len(town.finish().certificates) == 1
    assert town.market.vault("SELECT count(*) FROM vault.subject") == [(29,)]


def test_a_table_that_still_names_one_person_holds_up_nobody_else(town: Town) -> None:
    town.people(1, 2)
    town.market.load()
    first = town.market.rows("matching", "app_db__account")[0]["account_id"]
    workspace = town.market.workspace
    with workspace.connect() as con, open_purpose(con, workspace, "matching"):
        con.execute("CREATE TABLE purpose.stray AS SELECT ? AS remark", [f"rang {first} on Monday"])
    requests = town.ask(1), town.ask(2)
    result = town.erase()
    assert len(result.certificates) == 1
    assert set(result.blocked) == {"warehouse/matching: main.stray.remark", "published/matching: main.stray.remark"}
    assert sorted(town.receipt(request).state for request in requests) == ["done", "waiting"]
    with workspace.connect() as con, open_purpose(con, workspace, "matching"):
        con.execute("DROP TABLE purpose.stray")
    town.publish()
    assert len(town.finish().certificates) == 1


def test_a_vault_that_was_not_purged_after_a_deletion_is_purged_by_the_next_run(town: Town) -> None:
    town.people(1)
    town.market.load()
    workspace = town.market.workspace
    with workspace.connect() as con, open_vault(con, workspace):
        note_purge_due(con, workspace)
    before = workspace.home.vault_file.stat().st_ino
    town.finish()
    purged = workspace.home.vault_file.stat().st_ino
    assert purged != before
    town.finish()
    assert workspace.home.vault_file.stat().st_ino == purged


def test_a_copy_that_still_names_the_person_blocks_the_certificate_until_it_is_replaced(town: Town) -> None:
    town.people(1, 2)
    town.market.load()
    request = town.ask(1)
    town.publish()
    town.prepare()
    result = town.finish()
    assert result.certificates == ()
    assert any("published/matching: src.app_db__account.account_id" in place for place in result.blocked)
    assert town.receipt(request).state == "waiting"
    town.publish()
    assert len(town.finish().certificates) == 1


def test_a_cookie_of_one_account_goes_with_it_and_a_shared_one_stays(town: Town) -> None:
    town.people(1, 2)
    searched = {
        "type": "track",
        "event": "Search Performed",
        "receivedAt": "2026-11-14T10:00:00Z",
        "properties": {},
        "context": {},
    }
    town.market.land_events(
        {**searched, "messageId": "own", "userId": account_id(1), "anonymousId": "own-cookie"},
        {**searched, "messageId": "before", "anonymousId": "own-cookie"},
        {**searched, "messageId": "shared-1", "userId": account_id(1), "anonymousId": "shared-cookie"},
        {**searched, "messageId": "shared-2", "userId": account_id(2), "anonymousId": "shared-cookie"},
        {**searched, "messageId": "shared-3", "anonymousId": "shared-cookie"},
    )
    town.market.load()
    assert len(town.market.rows("matching", "events__event")) == 5
    town.ask(1)
    town.erase()
    assert len(town.market.rows("matching", "events__event")) == 2


def test_the_vault_keeps_a_tombstone_and_nothing_else(town: Town) -> None:
    town.people(1, 2)
    town.market.load()
    town.ask(1)
    town.erase()
    assert town.market.vault("SELECT count(*) FROM vault.subject") == [(1,)]
    assert town.market.vault("SELECT count(*) FROM vault.alias WHERE kind = 'account'") == [(1,)]
    assert town.market.vault("SELECT count(*) FROM vault.erasing_pseudonym") == [(0,)]
    assert town.market.vault("SELECT count(*) FROM vault.erasing_alias") == [(0,)]
    assert town.market.vault("SELECT count(*) >= 1 FROM vault.tombstone") == [(True,)]


def test_certificates_are_chained_and_a_changed_one_is_found_out(town: Town) -> None:
    town.people(1, 2, 3)
    town.market.load()
    town.ask(1)
    town.erase()
    town.ask(2)
    town.erase()
    first, second = certificate_files(town.market.workspace.home.root)
    key = public_key_file(town.market.workspace)
    assert verify_certificate(first, key).problems == ()
    assert verify_certificate(second, key).problems == ()
    first.write_text(first.read_text().replace('"number": 1', '"number":  1'))
    assert "changed after" in verify_certificate(second, key).problems[0]
    second.write_text(second.read_text().replace('"rows_deleted": 1', '"rows_deleted": 9'))
    assert "signature" in verify_certificate(second, key).problems[0]


def test_a_certificate_names_nobody(town: Town) -> None:
    town.people(1, 2)
    town.book(7, 1, 2)
    town.market.load()
    pseudonyms = {str(row["account_id"]) for row in town.market.rows("matching", "app_db__account")}
    town.ask(1)
    town.erase()
    text = certificate_files(town.market.workspace.home.root)[0].read_text()
    assert not [value for value in {*pseudonyms, account_id(1), "Navnesen", "example.no"} if value in text]


def test_a_ban_keeps_only_what_stops_the_person_from_coming_back(town: Town) -> None:
    town.people(1, 2)
    town.put("account_ban", {"account_id": account_id(1), "reason": "svindel", "banned_at": days_before_noon(100)})
    town.market.load()
    phone = next(r["phone"] for r in town.market.rows("fraud", "app_db__account"))
    town.ask(1)
    town.erase()
    home, ring = town.market.workspace.home, town.market.workspace.keyring
    from storage import attached

    with (
        town.market.workspace.connect() as con,
        attached(con, home.held_file, "held", ring.zone_key("held"), read_only=True),
    ):
        held = con.execute("SELECT kind, held_until FROM held.identifier ORDER BY kind").fetchall()
    assert [kind for kind, _ in held] == ["email", "phone"]
    assert {until for _, until in held} == {date(2028, 11, 15)}
    assert phone is not None


def quarantine_lines(town: Town, *lines: bytes) -> None:
    rows = [
        QuarantinedRow(
            source="events", position="a.jsonl.gz", line=n, reason_code="no_json", reason="no JSON", content=line
        )
        for n, line in enumerate(lines, start=1)
    ]
    Quarantine(town.market.workspace).add(rows)


def test_what_could_not_be_read_and_names_an_erased_person_goes_too_and_does_not_come_back(town: Town) -> None:
    town.people(1, 2)
    town.market.load()
    mine, others = account_id(1).upper().encode(), account_id(2).encode()
    lines = (b'{"userId": "' + mine + b'", \xff broken', b'{"userId": "' + others + b'", broken', b"nobody knows whom")
    quarantine_lines(town, *lines)
    town.ask(1)
    town.erase()
    quarantine = Quarantine(town.market.workspace)
    assert sorted(quarantine.list(with_content=True)["content"].to_pylist()) == sorted(lines[1:])
    quarantine_lines(town, *lines)
    town.prepare()
    assert sorted(quarantine.list(with_content=True)["content"].to_pylist()) == sorted(lines[1:])


def test_quarantined_rows_that_name_a_device_or_address_of_the_erased_alone_go_and_a_shared_ones_stay(
    town: Town,
) -> None:
    town.people(1, 2)
    for number, (who, device) in enumerate([(1, "dev_own"), (1, "dev_shared"), (2, "dev_shared"), (2, "dev_other")]):
        town.put(
            "login",
            {"login_id": number, "account_id": account_id(who), "device_id": device, "at": days_before_noon(9), "success": True},
        )  # fmt: skip
    town.market.load()
    own = (b'{"userId": null, "device": {"id": "dev_own"}, cut', b'{"traits": {"email": "Person1@example.no"}, cut')
    left = (b'{"device": {"id": "dev_shared"}, cut', b'{"device": {"id": "dev_other"}, cut', b"to person2@example.no")
    quarantine_lines(town, *own, *left)
    town.ask(1)
    town.erase()
    kept = Quarantine(town.market.workspace).list(with_content=True)["content"].to_pylist()
    assert sorted(kept) == sorted(left)
