"""Enhetsregisteret's client against a real server: every answer as what it says, patience, and an end to it."""

import logging
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.enhetsregisteret import GIVE_UP_AFTER, LONGEST_ANSWER_BYTES, NO_ANSWER, Organisation, ask, read_answer
from tests.pseudonymisation.registries.conftest import RegisterServer, branch, organisation, struck_off

ONE, OTHER = "310000001", "310000002"


def said(register: RegisterServer, *numbers: str, per_second: float = 1000) -> dict[str, Organisation]:
    return dict(ask(register.api_base, numbers, per_second=per_second, first_wait_seconds=0.01))


@pytest.mark.parametrize(
    ("answers", "outcome", "flags"),
    [
        ({f"enheter/{ONE}": [[200, organisation(ONE)]]}, "valid", (False, False, False)),
        ({f"enheter/{ONE}": [[200, organisation(ONE, konkurs=True)]]}, "valid", (False, True, False)),
        ({f"enheter/{ONE}": [[200, organisation(ONE, underAvvikling=True)]]}, "valid", (False, False, True)),
        (
            {f"enheter/{ONE}": [[200, organisation(ONE, underTvangsavviklingEllerTvangsopplosning=True)]]},
            "valid",
            (False, False, True),
        ),
        ({f"enheter/{ONE}": [[200, struck_off(ONE)]]}, "valid", (True, None, None)),
        ({f"underenheter/{ONE}": [[200, branch(ONE)]]}, "valid", (False, None, None)),
        ({}, "invalid", (None, None, None)),
        (
            {f"enheter/{ONE}": [[410, {"organisasjonsnummer": ONE, "slettedato": "2024-03-01"}]]},
            "valid",
            (True, None, None),
        ),
        ({f"enheter/{ONE}": [[410, None]]}, "unknown", (None, None, None)),
        ({f"enheter/{ONE}": [[200, organisation(OTHER)]]}, "unknown", (None, None, None)),
        ({f"enheter/{ONE}": [[200, "<html>"]]}, "unknown", (None, None, None)),
        ({f"enheter/{ONE}": [[200, " " * (LONGEST_ANSWER_BYTES + 1)]]}, "unknown", (None, None, None)),
        ({f"enheter/{ONE}": [[302, None, {"Location": "/"}]]}, "unknown", (None, None, None)),
        ({f"enheter/{ONE}": [[200, organisation(ONE, konkurs="true")]]}, "valid", (False, None, False)),
    ],
)
def test_an_answer_is_what_it_says(
    register: RegisterServer, answers: Any, outcome: str, flags: tuple[bool | None, ...]
) -> None:
    register.answer(answers)
    found = said(register, ONE)[ONE]
    assert (found.outcome, found.is_answered) == (outcome, True)
    assert (found.is_deregistered, found.is_bankrupt, found.is_winding_up) == flags


def test_no_log_names_a_number_however_much_is_logged(
    register: RegisterServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A sole proprietor's number is a person's."""
    register.answer({f"enheter/{ONE}": [[503, None], [200, organisation(ONE)]]})
    caplog.set_level(logging.DEBUG)
    assert said(register, ONE, OTHER)[ONE].is_answered
    assert not [record for record in caplog.records if ONE in record.getMessage() or OTHER in record.getMessage()]


def test_it_tries_again_after_errors_and_waits_as_long_as_it_is_told(register: RegisterServer) -> None:
    register.answer(
        {f"enheter/{ONE}": [[503, None], [429, None, {"Retry-After": "1"}], [0, None], [200, organisation(ONE)]]}
    )
    assert said(register, ONE)[ONE].outcome == "valid"
    times = [one["at"] for one in register.asked()]
    assert len(times) == 4
    assert times[2] - times[1] >= 1.0


def test_a_register_that_is_down_is_left_alone(register: RegisterServer) -> None:
    numbers = [str(310000001 + one) for one in range(20)]
    register.answer({f"enheter/{number}": [[500, None]] for number in numbers})
    found = said(register, *numbers)
    assert found == dict.fromkeys(numbers[:GIVE_UP_AFTER], NO_ANSWER)


def test_nobody_there_is_no_answer() -> None:
    assert dict(ask("http://127.0.0.1:9/api", [ONE], first_wait_seconds=0.01)) == {ONE: NO_ANSWER}


def test_it_asks_no_faster_than_agreed(register: RegisterServer) -> None:
    numbers = [str(310000001 + one) for one in range(6)]
    register.answer({f"enheter/{number}": [[200, organisation(number)]] for number in numbers})
    said(register, *numbers, per_second=20)
    times = [one["at"] for one in register.asked()]
    assert len(times) == 6
    assert times[-1] - times[0] >= 0.9 * 5 / 20


@given(status=st.integers(100, 599), body=st.binary(max_size=200))
def test_whatever_bytes_come_are_an_answer_or_unknown(status: int, body: bytes) -> None:
    assert read_answer(ONE, status, body).outcome == ("invalid" if status == httpx.codes.NOT_FOUND else "unknown")


@given(
    fields=st.dictionaries(
        st.sampled_from(["navn", "konkurs", "underAvvikling", "slettedato", "respons_klasse", "organisasjonsform"]),
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=9), st.lists(st.integers(), max_size=2)),
    )
)
def test_a_field_of_another_type_is_never_guessed_at(fields: dict[str, Any]) -> None:
    try:
        body = orjson.dumps({"organisasjonsnummer": ONE} | fields)
    except orjson.JSONEncodeError:
        return
    found = read_answer(ONE, 200, body)
    assert found.is_bankrupt == (fields.get("konkurs") if isinstance(fields.get("konkurs"), bool) else None)
    assert found.name is None or found.name == fields["navn"]
