"""Each treatment gives what the policy's word for it says, and nothing finer."""

import hashlib
import hmac
import math
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pseudonymisation.policy.model import Column, Treatment
from pseudonymisation.session import prepare_session
from pseudonymisation.treatments import treat
from storage import LeiiError, Workspace

ANY_FIXTURE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)


@pytest.fixture
def session(workspace: Workspace) -> Iterator[duckdb.DuckDBPyConnection]:
    with workspace.connect() as con:
        prepare_session(con, workspace, "fraud")
        yield con


def treated(
    con: duckdb.DuckDBPyConnection, value: Any, treatment: str, parameter: Any = None, **column: Any
) -> list[Any]:
    outputs = treat(
        Column(path="value", category="user", **column),
        Treatment(name=treatment, parameter=parameter, output="value"),
        "$raw",
    )
    row = con.execute(f"SELECT {', '.join(f'CAST({o.sql} AS {o.type})' for o in outputs)}", {"raw": value}).fetchone()
    assert row is not None
    return list(row)


@ANY_FIXTURE
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=50))
def test_a_pseudonym_is_rfc_2104_hmac_sha256_under_the_purposes_key(
    workspace: Workspace, session: Any, text: str
) -> None:
    key = workspace.keyring.purpose_key("fraud", "pseudonym")
    digest = hmac.new(key, b"device\x1f" + text.encode(), hashlib.sha256).hexdigest()
    assert treated(session, text, "pseudonym", identifier="device") == [uuid.UUID(digest[:32])]


@pytest.mark.parametrize("written", ["+47 400 00 001", "40000001", "004740000001", "400 00 001"])
def test_one_phone_number_has_one_pseudonym_however_it_is_written(session: Any, written: str) -> None:
    plain = treated(session, "40000001", "pseudonym", identifier="phone")
    assert treated(session, written, "pseudonym", identifier="phone") == plain


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("minute", datetime(2026, 3, 4, 13, 47, tzinfo=UTC)),
        ("5 minutes", datetime(2026, 3, 4, 13, 45, tzinfo=UTC)),
        ("15 minutes", datetime(2026, 3, 4, 13, 45, tzinfo=UTC)),
        ("hour", datetime(2026, 3, 4, 13, 0, tzinfo=UTC)),
        ("day", date(2026, 3, 4)),
        ("month", date(2026, 3, 1)),
    ],
)
def test_a_time_is_cut_to_its_step(session: Any, step: str, expected: object) -> None:
    moment = datetime(2026, 3, 4, 13, 47, 59, 999999, tzinfo=UTC)
    assert treated(session, moment, "coarsen_time", step, type="timestamp") == [expected]


@pytest.mark.parametrize(
    ("code", "place"), [("0150", "OSLO"), ("5003", "BERGEN"), ("9999", None), ("abcd", None), (None, None)]
)
def test_a_postal_code_becomes_a_municipality_or_nothing(session: Any, code: str | None, place: str | None) -> None:
    assert treated(session, code, "coarsen_place", "municipality") == [place]


@pytest.mark.parametrize(
    ("degrees", "step", "line"),
    [
        (59.913, 0.1, "59.90"),
        (10.752, 0.2, "10.80"),
        (-70.06, 0.1, "-70.10"),
        (None, 0.1, None),
        (1e300, 0.1, None),
        (math.inf, 0.2, None),
        (math.nan, 0.1, None),
    ],
)
def test_a_position_is_the_nearest_line_of_the_grid(
    session: Any, degrees: float | None, step: float, line: str | None
) -> None:
    [coarse] = treated(session, degrees, "coarsen_position", step, type="number")
    assert coarse == (None if line is None else Decimal(line))


@pytest.mark.parametrize("step", [0.01, 2.0, 1, "municipality"])
def test_a_grid_that_is_too_fine_or_no_grid_is_refused(step: Any) -> None:
    with pytest.raises(LeiiError, match=r"takes a step of 0\.05 to 1 degree"):
        treat(
            Column(path="x", category="user.location.precise", type="number"),
            Treatment(name="coarsen_position", parameter=step, output="x"),
            '"x"',
        )


@ANY_FIXTURE
@given(amount=st.integers(-10_000_000, 10_000_000), step=st.integers(1, 2_000))
def test_an_amount_is_the_nearest_multiple_of_its_step(session: Any, amount: int, step: int) -> None:
    [coarse] = treated(session, amount, "coarsen_amount", step, type="integer")
    assert coarse % step == 0
    assert abs(coarse - amount) * 2 <= step


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.7", "203.0.113.250", True),
        ("203.0.113.7", "203.0.114.7", False),
        ("2001:db8:1:2::1", "2001:db8:1:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:2:2::1", False),
    ],
)
def test_addresses_of_one_network_share_a_pseudonym(session: Any, one: str, other: str, same: bool) -> None:
    first, second = (treated(session, ip, "coarsen_network", identifier="network") for ip in (one, other))
    assert (first == second) is same


@pytest.mark.parametrize("address", ["somebody@example.no", "", "203.0.113", "1.2.3.4.5", "Storgata 1"])
def test_what_is_no_address_has_no_network(session: Any, address: str) -> None:
    assert treated(session, address, "coarsen_network", identifier="network") == [None]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("card_declined", True),
        ("NO", True),
        ("partially refunded", True),
        ("ring 40000001", False),
        ("kari@example.no", False),
        ("x" * 41, False),
        ("", False),
    ],
)
def test_a_code_can_hold_no_number_and_no_address(session: Any, text: str, kept: bool) -> None:
    assert treated(session, text, "code") == [text if kept else None]


def test_a_value_that_is_not_on_the_list_is_not_kept(session: Any) -> None:
    assert treated(session, "active", "keep", values=("active", "closed")) == ["active"]
    assert treated(session, "Kari Nordmann", "keep", values=("active", "closed")) == [None]


@pytest.mark.parametrize(
    ("text", "email", "phone", "payment"),
    [
        ("Ring meg på 400 00 001", False, True, False),
        ("Skriv til kari@example.no", True, False, False),
        ("Betal direkte med Vipps, så blir det billigere", False, False, True),
        ("Kan du komme mandag 12.10 kl 10?", False, False, False),
    ],
)
def test_text_becomes_features_and_the_text_is_gone(
    session: Any, text: str, email: bool, phone: bool, payment: bool
) -> None:
    length, has_email, has_phone, _, has_payment_word, fingerprint = treated(session, text, "derive", "text_features")
    assert (length, has_email, has_phone, has_payment_word) == (len(text), email, phone, payment)
    assert isinstance(fingerprint, uuid.UUID)


def test_the_same_text_with_another_number_has_the_same_fingerprint(session: Any) -> None:
    one, other = (
        treated(session, f"Ring {n}, jeg er billigst!", "derive", "text_features")[-1] for n in (40000001, 40000002)
    )
    assert one == other


@pytest.mark.parametrize(
    ("treatment", "parameter"),
    [
        ("encrypt", None),
        ("coarsen_time", "fortnight"),
        ("coarsen_amount", 0),
        ("coarsen_place", "street"),
        ("flag", "rich"),
        ("derive", "mood"),
    ],
)
def test_a_treatment_that_does_not_exist_is_refused(treatment: str, parameter: object) -> None:
    with pytest.raises(LeiiError, match="value"):
        treat(Column(path="value", category="user"), Treatment(name=treatment, parameter=parameter, output="o"), "v")  # type: ignore[arg-type]
