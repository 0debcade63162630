"""An export against a real PostgreSQL and real files: everything about the one who asked, and nobody else."""

import gzip
import json
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from ingestion.landing import open_landing
from ingestion.quarantine import Quarantine, QuarantinedRow
from pseudonymisation.access.document import OTHER_PARTY, Export
from pseudonymisation.access.exports import remove_expired_exports
from pseudonymisation.access.requests import require_request
from pseudonymisation.notices.making import make_correction_notices
from storage import LeiiError
from tests.pseudonymisation.access.conftest import (
    CUSTOMER,
    OTHER,
    PROVIDER,
    ask_access,
    certificate,
    counts,
    events,
    give,
    names_of,
    take_models_away,
)
from tests.pseudonymisation.conftest import account, account_id
from tests.pseudonymisation.erasure.conftest import Town
from tests.pseudonymisation.registries.test_answers import keep


def exports(town: Town) -> list[Path]:
    return sorted((town.market.workspace.home.exports / "access").glob("*"))


@pytest.mark.slow
def test_access_lists_exactly_what_the_erasure_then_erases_detaches_and_holds(filled: Town) -> None:
    """Also for the second of two parties, when the first is gone already."""
    take_models_away(filled)
    for number in (CUSTOMER, PROVIDER):
        _, export = give(filled, ask_access(filled, number))
        listed = fates(export)
        assert len({(purpose, table) for purpose, table, _ in listed}) >= 15
        filled.ask(number)
        filled.erase()
        content = certificate(filled.market.workspace.home.root)
        erased = {
            (entry["purpose"], entry["table"], fate): entry[f"rows_{fate}"]
            for entry in content["erased"]
            for fate in ("deleted", "detached")
            if entry[f"rows_{fate}"]
        }
        held = {(entry["purpose"], entry["table"], "held"): entry["rows"] for entry in content["held"]}
        assert held
        assert listed == erased | held


def fates(export: Export) -> dict[tuple[str, str, str], int]:
    """How many rows of each purpose's source tables an erasure would delete, detach and hold, as the export says."""
    found: Counter[tuple[str, str, str]] = Counter()
    for purpose in export.purposes:
        for table in purpose.stored:
            for row in table.rows:
                found[(purpose.name, table.name, str(row.on_erasure))] += 1
                found[(purpose.name, table.name, "held")] += row.held_until is not None
    return {fate: count for fate, count in found.items() if count}


@pytest.mark.slow
def test_every_row_is_there_and_nobody_else_is_in_the_files_by_any_name(filled: Town, tmp_path: Path) -> None:
    folder = event_files(tmp_path)
    filled.market.land("account", account(CUSTOMER), account(PROVIDER), account(OTHER))  # waits in landing
    names = {number: names_of(filled, number) for number in (CUSTOMER, PROVIDER, OTHER)}
    for number in (CUSTOMER, PROVIDER):
        written, export = give(filled, ask_access(filled, number), events_root=str(folder))
        assert counts(export.landing) == {"app_db.account": 1}
        assert counts(export.sources[2].tables) == {"event": 3}
        assert_computed_rows(export, hits=[2, 6] if number == CUSTOMER else [2, 2, 6])
        text = written.page.read_text() + written.data.read_text()
        for other in set(names) - {number}:
            assert not names[other] & names[number]
            assert not [name for name in names[other] if name in text], other
        own = {account_id(number), f"Navnesen {number}", f"person{number}@example.no", f"192.0.2.{number}"}
        assert not [name for name in own if name not in text]
        assert OTHER_PARTY in written.data.read_text()


def assert_computed_rows(export: Export, hits: list[int]) -> None:
    """`hits`: fields shown of each hit; of one on somebody else only the mention, and so two."""
    found = {purpose.name: purpose for purpose in export.purposes}
    assert counts(found["accounting"].computed) == {"marts.fct_payment": len(hits) - 1}
    assert sorted(len(row.fields) for row in found["fraud"].computed[0].rows) == hits
    for purpose in found.values():
        stored = {f"src.{name}": count for name, count in counts(purpose.stored).items()}
        assert counts(purpose.published) == stored | counts(purpose.computed)


def event_files(folder: Path) -> Path:
    day = folder / "events" / "dt=2026-11-14"
    day.mkdir(parents=True)
    lines = [json.dumps(event).encode() for event in events()]
    (day / "part-0.jsonl.gz").write_bytes(
        gzip.compress(b"\n".join([*lines, lines[0], b"{broken", b"\xff\xfe"]) + b"\n")
    )
    return day.parent


def test_a_request_that_may_not_be_carried_out_is_refused_and_leaves_nothing(town: Town) -> None:
    town.people(1)
    town.market.load()
    unverified, withdrawn = ask_access(town, 1, verified=False), ask_access(town, 1, withdrawn=True)
    for number, word in (
        (unverified, "identity"),
        (withdrawn, "withdrawn"),
        (999, "no privacy request"),
        (town.ask(1), "erasure"),
    ):
        with pytest.raises(LeiiError, match=word):
            require_request(town.dsn, number, "access")
    assert exports(town) == []


def test_the_files_are_their_owners_alone_and_their_names_name_nobody(town: Town) -> None:
    town.people(1)
    town.market.load()
    request = ask_access(town, 1)
    first, _ = give(town, request)
    second, export = give(town, request)
    assert exports(town) == [second.page.parent]
    assert [path.stat().st_mode & 0o777 for path in (second.page, second.data)] == [0o600, 0o600]
    assert second.page.parent.stat().st_mode & 0o777 == 0o700
    assert Export.model_validate_json(second.data.read_text()) == export
    assert account_id(1)[-12:] not in first.page.parent.name.split("-")[1]


def test_what_could_not_be_read_is_said_at_the_top_and_makes_the_export_incomplete(town: Town) -> None:
    town.people(1)
    town.market.load()
    town.market.workspace.home.warehouse_file("matching").write_bytes(b"no database")
    written, export = give(town, ask_access(town, 1))
    assert not export.is_complete
    assert {gap.place for gap in export.gaps} == {"stripe", "events", "warehouse/matching"}
    page = written.page.read_text()
    assert page.index("Ikke fullstendig") < page.index("Kort fortalt")
    assert str(town.market.workspace.home.root) not in page


def test_a_column_that_nobody_has_classified_is_left_out_and_named(town: Town) -> None:
    town.people(1)
    town.market.load()
    town.sql("alter table app.account add column shoe_size text default 'secret size'")
    try:
        written, export = give(town, ask_access(town, 1))
    finally:
        town.sql("alter table app.account drop column shoe_size")
    assert "app_db.account" in {gap.place for gap in export.gaps}
    assert "secret size" not in written.data.read_text()


def test_quarantine_is_searched_and_its_content_stays_there(town: Town) -> None:
    town.people(1, 2)
    town.market.load()
    broken = [f'{{"userId": "{account_id(number)}", "note": "hemmelig {number}"'.encode() for number in (1, 2)]
    rows = [
        QuarantinedRow(source="events", position="dt=x", line=n, reason_code="bad", reason="no JSON", content=content)
        for n, content in enumerate(broken)
    ]
    Quarantine(town.market.workspace).add(rows)
    written, export = give(town, ask_access(town, 1))
    assert [item.bytes for item in export.quarantine] == [len(broken[0])]
    assert "hemmelig" not in written.data.read_text()


def test_an_export_goes_after_its_time_and_not_before(town: Town) -> None:
    town.people(1)
    town.market.load()
    give(town, ask_access(town, 1))
    town.later(days=13, hours=23)
    assert remove_expired_exports(town.market.workspace) == 0
    town.later(hours=1)
    assert remove_expired_exports(town.market.workspace) == 1
    assert exports(town) == []


@pytest.mark.slow
def test_an_erasure_takes_the_persons_exports_along_and_a_later_one_says_so(town: Town) -> None:
    town.people(1, 2)
    town.market.load()
    own, _ = give(town, request := ask_access(town, 1))
    others, _ = give(town, ask_access(town, 2))
    erasure = town.ask(1)
    result = town.erase()
    assert len(result.certificates) == 1
    assert not own.page.exists()
    assert others.page.exists()
    _, export = give(town, request)
    assert (export.vault.has_secret, export.vault.erasure_certificates) == (False, list(result.certificates))
    assert [table for purpose in export.purposes for table in purpose.stored] == []
    assert {one.privacy_request_id for one in export.privacy_requests} == {request, erasure}


def test_what_waits_in_landing_is_listed_for_every_kind_of_batch(town: Town) -> None:
    town.people(1)
    town.market.load()
    town.market.land("account", account(1))
    town.market.land("account", {"account_id": account_id(1)}, kind="keys")
    town.market.land_stripe(
        "customer", {"id": "cus_1", "object": "customer", "metadata": {"account_id": account_id(1)}}
    )
    town.market.land_events(*events())
    town.market.land_stripe_keys("customer", "cus_1")
    _, export = give(town, ask_access(town, 1))
    assert counts(export.landing) == {"app_db.account": 2, "events.event": 2}
    with open_landing(town.market.workspace) as landing:
        assert len(landing.pending("vault")) == 5, "looking takes nothing away"


def test_recipients_their_unsent_notices_and_registers_answers_are_listed(town: Town) -> None:
    workspace, policy = town.market.workspace, town.market.policy
    town.put("account", account(1, stripe_customer_id="cus_1"), account(2, stripe_customer_id="cus_2"))
    town.market.load()
    keep(workspace, 1, 2)
    for number in (1, 2):
        asked = ask_access(town, number)
        corrected = replace(require_request(town.dsn, asked, "access"), kind="rectification")
        make_correction_notices(workspace, policy, town.dsn, corrected)
    _, export = give(town, ask_access(town, 1))
    assert {one.name: one.since for one in export.recipients} == dict.fromkeys(
        ("app_processors", "stripe"), date(2026, 1, 5)
    )
    [stripe] = [one for one in export.recipients if one.name == "stripe"]
    assert stripe.title == "Stripe"
    assert "account.email" in stripe.gets
    [notice] = stripe.unsent
    assert (notice.fields["event"], notice.fields["known_as.customer"]) == ("correction", "cus_1")
    assert notice.fields["now.account.email"] == "person1@example.no"
    assert [row.fields["outcome"] for row in export.registry_answers] == ["valid"]
    assert not any(other in export.model_dump_json() for other in ("cus_2", "person2@example.no"))
    town.ask(1)
    assert len(town.erase().certificates) == 1
    _, after = give(town, ask_access(town, 1))
    assert after.registry_answers == []
    told = {one.name: [row.fields["event"] for row in one.unsent] for one in after.recipients}
    assert told == {"app_processors": ["erasure"], "stripe": ["erasure"]}
