"""What one pass leaves behind on a generated town: everything that the policy gives, and nothing else."""

import hashlib
import hmac
import math
import uuid
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests.integration.conftest import Town

pytestmark = pytest.mark.slow

ERASED_LEAVES_AT_MOST = 40
"""Accounts of the town that ask to be erased and are, in the first pass."""


def pseudonym(town: Town, purpose: str, kind: str, value: str) -> uuid.UUID:
    key = town.workspace.keyring.purpose_key(purpose, "pseudonym")
    return uuid.UUID(hmac.new(key, f"{kind}\x1f{value}".encode(), hashlib.sha256).hexdigest()[:32])


def subjects(town: Town, purpose: str) -> dict[str, uuid.UUID]:
    """Account id -> pseudonym, computed here from the vault's secrets and not by the code that is tested."""
    from storage import attached

    ring = town.workspace.keyring
    alias_key, key = ring.zone_key("vault", "alias"), ring.purpose_key(purpose, "pseudonym")
    with (
        town.workspace.connect() as con,
        attached(con, town.home.vault_file, "vault", ring.zone_key("vault"), read_only=True),
    ):
        rows = con.execute(
            "SELECT alias_hash, secret FROM vault.alias JOIN vault.subject USING (subject_id)"
        ).fetchall()
    secrets = dict(rows)
    accounts = [str(row[0]) for row in town.app("select account_id from app.account")]
    hashes = {
        a: uuid.UUID(hmac.new(alias_key, f"account\x1f{a}".encode(), hashlib.sha256).hexdigest()[:32]) for a in accounts
    }
    return {
        a: uuid.UUID(hmac.new(key, secrets[h], hashlib.sha256).hexdigest()[:32])
        for a, h in hashes.items()
        if h in secrets
    }


def nearest(amount: Any, step: int) -> int:
    return math.floor(abs(float(amount)) / step + 0.5) * step


def five_minutes(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC).replace(minute=moment.minute // 5 * 5, second=0, microsecond=0) if moment else None


def day(moment: datetime | None) -> date | None:
    return moment.astimezone(UTC).date() if moment else None


def test_bookings_are_exactly_what_the_policy_makes_of_them(town: Town) -> None:
    """A reference in plain Python, row by row, for the purpose of matching."""
    known = subjects(town, "matching")
    expected = set()
    for row in town.app(
        "select booking_id, request_id, customer_id::text, provider_id::text, category_id, price_nok, status, "
        "cancelled_by, booked_at, paid_at from app.booking"
    ):
        number, request, customer, provider, category, price, status, cancelled, booked, paid = row
        if customer not in known and provider not in known:
            continue
        request_id = pseudonym(town, "matching", "request", str(request)) if request and customer in known else None
        expected.add(
            (
                pseudonym(town, "matching", "booking", str(number)),
                request_id,
                known.get(customer),
                known.get(provider),
                category,
                nearest(price, 10),
                status,
                cancelled,
                five_minutes(booked),
                day(paid),
            )
        )
    found = town.query(
        "matching",
        "SELECT booking_id, request_id, customer_id, provider_id, category_id, price_nok, status, cancelled_by, "
        "booked_at, paid_at FROM purpose.src.app_db__booking",
    )
    assert len(expected) > 500
    assert set(found) == expected
    assert len(found) == len(expected)


def test_logins_are_exactly_what_the_policy_makes_of_them(town: Town) -> None:
    known = subjects(town, "fraud")
    expected = {
        (
            pseudonym(town, "fraud", "login", str(number)),
            known[account] if account else None,
            at.astimezone(UTC).replace(second=0, microsecond=0),
            success,
            pseudonym(town, "fraud", "device", device) if device else None,
            country,
        )
        for number, account, at, success, device, country in town.app(
            "select login_id, account_id::text, at, success, device_id, country from app.login"
        )
        if account is None or account in known
    }
    found = town.query(
        "fraud",
        "SELECT login_id, account_id, logged_in_at, is_success, device_id, country FROM purpose.src.app_db__login",
    )
    assert set(found) == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    ("table", "subject_columns"),
    [("message", ("sender_id", "recipient_id")), ("support_case", ("account_id",)), ("account", ("account_id",))],
)
def test_no_row_of_a_table_is_lost_or_doubled(town: Town, table: str, subject_columns: tuple[str, ...]) -> None:
    known = subjects(town, "fraud")
    rows = town.app(f"select {', '.join(f'{c}::text' for c in subject_columns)} from app.{table}")
    expected = sum(1 for row in rows if any(value is None or value in known for value in row))
    [(found,)] = town.query("fraud", f"SELECT count(*) FROM purpose.src.app_db__{table}")
    assert found == expected


def test_stripes_charges_are_all_there_and_add_up(town: Town) -> None:
    import json

    lines = (town.world / "stripe" / "charge.jsonl").read_text().splitlines()
    charges = [json.loads(line) for line in lines]
    [(count, amount)] = town.query("accounting", "SELECT count(*), sum(amount) FROM purpose.src.stripe__charge")
    assert count == pytest.approx(len(charges), abs=ERASED_LEAVES_AT_MOST)
    if count == len(charges):
        assert amount == sum(charge["amount"] for charge in charges)


def raw_identifiers(town: Town) -> set[str]:
    columns = {
        "account": ("account_id", "full_name", "email", "phone", "national_id", "address_line", "stripe_customer_id"),
        "provider_profile": ("bank_account", "stripe_account_id", "bio"),
        "login": ("device_id", "host(ip)"),
        "consent": ("anonymous_id",),
        "message": ("body",),
        "booking": ("stripe_payment_intent_id",),
    }
    values: set[str] = set()
    for table, names in columns.items():
        for name in names:
            values.update(
                str(row[0]) for row in town.app(f"select distinct {name} from app.{table} where {name} is not null")
            )
    return {value for value in values if len(value) >= 6}


def test_no_raw_identifier_of_anybody_is_in_a_purpose_that_the_policy_does_not_give_it_to(town: Town) -> None:
    raw = raw_identifiers(town)
    assert len(raw) > 2000
    given = {("accounting", "stripe__charge", c) for c in ("billing_name", "billing_address_line")}
    for purpose in town.policy.purposes:
        for schema, table, column, type_ in town.tables(purpose):
            if type_ not in ("VARCHAR", "UUID") or (purpose, table, column) in given:
                continue
            if purpose == "accounting" and column in (
                "billing_name",
                "billing_address_line",
                "display_name",
                "org_number",
            ):
                continue
            stored = town.query(
                purpose, f'SELECT DISTINCT CAST("{column}" AS VARCHAR) FROM purpose."{schema}"."{table}"'
            )
            leaked = {value for (value,) in stored if value in raw}
            assert not leaked, (purpose, schema, table, column, len(leaked))


def values_of(town: Town, purpose: str, types: Iterable[str]) -> dict[str, set[Any]]:
    """By table and column, but for what the pipeline notes for itself: numbers of batches."""
    return {
        f"{table}.{column}": {
            row[0] for row in town.query(purpose, f'SELECT DISTINCT "{column}" FROM purpose.src."{table}"')
        }
        - {None}
        for _, table, column, type_ in town.tables(purpose, schema="src")
        if type_ in types and column not in ("_batch_id", "batch_id")
    }


def coarse_or_code(town: Town, purpose: str) -> set[str]:
    """Columns that the policy coarsens, or keeps because they are one of a few codes or no personal data."""
    from pseudonymisation.loading_sql import outputs_of

    found: set[str] = set()
    for table in town.policy.tables_of(purpose):
        for column, treatment in table.outputs(purpose):
            is_code = (
                treatment.name in ("code", "flag", "derive")
                or bool(column.values)
                or column.category.startswith("system.")
            )
            is_coarse = treatment.name.startswith("coarsen") and treatment.name != "coarsen_network"
            small = treatment.name == "keep" and column.path in (
                "rating",
                "rank_position",
                "category_id",
                "properties.position",
            )
            if (is_code or is_coarse or small) and treatment.name != "pseudonym":
                outputs = outputs_of(table, column, treatment)
                found.update(f"{table.stored_name}.{o.name}" for o in outputs if o.type != "UUID")
    return found


def test_no_value_but_the_coarsened_ones_is_equal_across_purposes(town: Town) -> None:
    types = ("UUID", "VARCHAR", "DECIMAL(18,2)", "TIMESTAMP WITH TIME ZONE", "BIGINT", "DOUBLE")
    fine: dict[str, set[Any]] = {}
    for purpose in town.policy.purposes:
        coarse = coarse_or_code(town, purpose)
        columns = {name: values for name, values in values_of(town, purpose, types).items() if name not in coarse}
        assert columns
        fine[purpose] = set().union(*columns.values())
    for purpose, values in fine.items():
        for other, others in fine.items():
            if purpose < other:
                assert not values & others, (purpose, other, len(values & others))


def test_landing_is_empty_and_nothing_raw_is_left_in_logs_and_run_storage(town: Town) -> None:
    assert list(town.home.landing.rglob("*.parquet")) == []
    planted = [value.encode() for value in raw_identifiers(town) if len(value) >= 8]
    seen = 0
    for folder in (town.home.dagster, town.home.root / "dbt", town.home.certificates):
        for path in (p for p in folder.rglob("*") if p.is_file()):
            content = path.read_bytes()
            seen += 1
            leaked = [1 for value in planted if value in content]
            assert not leaked, (path.relative_to(town.home.root), len(leaked))
    assert seen > 10


def test_keys_are_in_no_file_but_the_keyring(town: Town) -> None:
    import base64

    ring = town.workspace.keyring
    keys = [ring.purpose_key(p, use) for p in town.policy.purposes for use in ("pseudonym", "warehouse", "published")]
    texts = [
        form for key in keys for form in (key, base64.urlsafe_b64encode(key), base64.b64encode(key), key.hex().encode())
    ]
    for path in (p for p in town.home.root.rglob("*") if p.is_file() and p.suffix not in (".duckdb_extension",)):
        content = path.read_bytes()
        assert not [1 for text in texts if text in content], path.relative_to(town.home.root)


def test_every_request_gets_the_receipt_that_the_rules_of_erasure_give(town: Town) -> None:
    """As the first pass left them: the planted states are those of the world's first day."""
    assert town.first_now is not None
    expected = {
        row["privacy_request_id"]: row["expected_state"]
        for row in town.truth("privacy_requests")
        if row["kind"] == "erasure" and row["visible_from"] <= town.first_now.timestamp()
    }
    assert {"done", "held", "waiting", "waiting_for_identity", "refused"} <= set(expected.values())
    assert town.first_receipts == expected


def test_flags_reach_the_app_with_reasons_and_name_nobody(town: Town) -> None:
    flags = town.app("select account_id::text, reasons::text, score, recommended_action, status from app.fraud_flag")
    accounts = {str(row[0]) for row in town.app("select account_id from app.account")}
    assert flags
    assert {row[0] for row in flags} <= accounts
    assert all(0 <= score <= 1 and '"code"' in reasons for _, reasons, score, _, _ in flags)
    raw = raw_identifiers(town)
    assert not [1 for _, reasons, *_ in flags for value in raw if len(value) >= 8 and value in reasons]


def test_the_books_agree_but_for_what_is_planted(town: Town) -> None:
    def named(kind: str, value: object) -> uuid.UUID | None:
        return pseudonym(town, "accounting", kind, str(value)) if value is not None else None

    planted = {
        (row["reason"], named("payout", row["payout_id"]), named("booking", row["booking_id"]), row["difference_ore"])
        for row in town.truth("reconciliation")
    }
    found = town.query(
        "accounting",
        "SELECT reason, payout_id, booking_id, difference_ore, charge_id FROM purpose.marts.fct_reconciliation_difference",
    )
    assert len(found) == len(planted) == 8
    assert {row[:4] for row in found} == planted
    charges = {row["reason"]: named("charge", row["charge_id"]) for row in town.truth("reconciliation")}
    assert {row[0]: row[4] for row in found if row[4]} == {
        reason: charges[reason] for reason in ("not_passed_on", "balance_differs")
    }
